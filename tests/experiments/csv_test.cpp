#include "experiments/data/csv.hpp"

#include <doctest/doctest.h>

#include <clocale>

#include "autodiff/error.hpp"
#include "tests/experiments/temporary_folder.hpp"

namespace jacquard::experiments {
namespace {

std::string refusal(const std::string& file, const CsvOptions& options = {}) {
  return message_of<SpecError>([&] { parse_csv(file, "f", options); });
}

using Texts = std::vector<std::string>;
using Numbers = std::vector<float>;

TEST_CASE("lines are examples and columns features") {
  const CsvTable table = parse_csv("1,2.5,-3e2\n4,+5,.5\n", "f");
  CHECK(table.values.shape == Shape{2, 3});
  CHECK(table.values.data == Numbers{1, 2.5F, -300, 4, 5, 0.5F});
  CHECK(table.names.empty());
  CHECK_FALSE(table.labels);
  CHECK(parse_csv("7", "f").values.shape == Shape{1, 1});
  CHECK(parse_csv("1\n2\n\n", "f").values.data == Numbers{1, 2});
}

TEST_CASE("a first line that is no numbers names the columns") {
  CHECK(parse_csv("a,2\n3,4\n", "f").names == Texts{"a", "2"});
  CHECK(parse_csv("a,2\n3,4\n", "f").values.data == Numbers{3, 4});
  CsvOptions named;
  named.header = true;
  CHECK(parse_csv("1,2\n3,4\n", "f", named).names == Texts{"1", "2"});
  named.header = false;
  CHECK(parse_csv("1,2\n3,4\n", "f", named).values.shape == Shape{2, 2});
  CHECK(refusal("a,2\n3,4\n", named) ==
        "csv 'f':1: column 0 holds 'a', which is no number; only the column of \"labels\" may be "
        "text");
}

TEST_CASE(
    "quotes, spaces, separators, line ends and a byte order mark are read as they are meant") {
  const CsvTable table =
      parse_csv("\xef\xbb\xbf\"a, \"\"b\"\"\" , c\r\n \"1\",\t2 \r\n3,4\r\n\r\n", "f");
  CHECK(table.names == Texts{"a, \"b\"", "c"});
  CHECK(table.values.data == Numbers{1, 2, 3, 4});
  CsvOptions options;
  options.separator = ';';
  CHECK(parse_csv("1;2\n", "f", options).values.data == Numbers{1, 2});
  options.separator = '\t';
  CHECK(parse_csv("1\t 2\n", "f", options).values.data == Numbers{1, 2});
}

TEST_CASE("the column of labels is taken by name or number") {
  CsvOptions options;
  options.labels = "class";
  const CsvTable table = parse_csv("a,class,b\n1,0,2\n3,7,4\n", "f", options);
  CHECK(table.values.data == Numbers{1, 2, 3, 4});
  CHECK(table.names == Texts{"a", "b"});
  CHECK(*table.labels == Tensor<float>({2}, {0, 7}));
  CHECK(table.classes.empty());
  options.labels = "2";
  CHECK(parse_csv("1,2,-1\n3,4,1.5\n", "f", options).labels->data == Numbers{-1, 1.5F});
  // A name counts before a number.
  CHECK(parse_csv("2,b,c\n1,3,4\n", "f", options).labels->data == Numbers{1});
  CHECK(refusal("1,2\n", options) ==
        "csv 'f':1: there is no column '2' for the labels; 0 to 1 are there, without names");
  options.labels = "clas";
  CHECK(refusal("a,class\n1,2\n", options) ==
        "csv 'f':1: there is no column 'clas' for the labels; there are 'a', 'class'");
  options.labels = "0";
  CHECK(refusal("1\n", options) ==
        "csv 'f':1: there is no column beside the labels; the input x needs one");
}

TEST_CASE("labels that are words are numbered in the order of the alphabet") {
  CsvOptions options;
  options.labels = "1";
  const CsvTable table = parse_csv("1,versicolor\n2,setosa\n3,versicolor\n4,10\n", "f", options);
  CHECK(table.classes == Texts{"10", "setosa", "versicolor"});
  CHECK(table.labels->data == Numbers{2, 1, 2, 0});
  options.header = false;
  CHECK(refusal("1,a\n2,\n", options) == "csv 'f':2: the label is empty; every line needs one");
}

TEST_CASE("numbers are read the same in every locale") {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  for (const char* locale : {"de_DE.UTF-8", "C.UTF-8"}) {
    std::setlocale(LC_ALL, locale);  // where it is not installed, nothing changes
    CHECK(parse_csv("1.5,1e-400\n", "f").values.data == Numbers{1.5F, 0});
  }
  std::setlocale(LC_ALL, before.c_str());
}

TEST_CASE("what is no table of finite numbers is refused with its line") {
  CHECK(refusal("") == "csv 'f':1: the file is empty; a line of numbers is needed");
  CHECK(refusal("1,2\n3\n") ==
        "csv 'f':2: there are 1 fields, in the first line 2; every line needs the same number");
  CHECK(refusal("1,2\n3,\n") == "csv 'f':2: column 1 is empty; every field needs a number");
  CHECK(refusal("1,2\n\n3,4\n") == "csv 'f':2: the line is empty, and others follow it");
  CHECK(refusal("1\n\n2\n") == "csv 'f':2: the line is empty, and others follow it");
  CHECK(refusal("1\n1 2\n").find("column 0 holds '1 2', which is no number") != std::string::npos);
  CHECK(refusal("1\n0x10\n").find("which is no number") != std::string::npos);
  CHECK(refusal("1\n+-1\n").find("which is no number") != std::string::npos);
  for (const char* wrong : {"nan", "inf", "-inf", "1e39", "1e400", "1e5000"})
    CHECK(refusal(std::string("1\n") + wrong) ==
          std::string("csv 'f':2: column 0 holds '") + wrong +
              "'; finite numbers are needed, within the range of 32-bit floating point");
  CHECK(refusal("1,\"2\n3,4\n") == "csv 'f':1: a field in quotes has no end");
  CHECK(refusal("1,\"2\"3\n") == "csv 'f':1: text follows the closing quote of a field");
  CHECK(refusal("1\r2\n") == "csv 'f':1: a carriage return stands inside a line");
  CHECK(refusal("1,\xff\n") == "csv 'f': the text is not UTF-8; save it as such");
  CHECK(message_of<SpecError>([] { read_csv("no/such-file"); }) ==
        "read 'no/such-file': opening: No such file or directory");
}

}  // namespace
}  // namespace jacquard::experiments
