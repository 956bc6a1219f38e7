#include "models/language/signature.hpp"

#include <algorithm>

#include "models/language/tokens.hpp"

namespace jacquard::models {
namespace {

constexpr const char* kForm = "a function's head is written name(argument, argument)";

class SignatureReader {
 public:
  explicit SignatureReader(std::string_view text) : text_(text), tokens_(tokenize(text)) {}

  Signature read() {
    Signature result;
    result.name = name("the function's name");
    expect("(", "'(' behind the function's name");
    if (!tokens_[at_].is(")")) {
      do {
        argument(result);
      } while (take(","));
    }
    expect(")", "',' or ')' behind the argument");
    if (tokens_[at_].kind != TokenKind::kEnd) fail("the end of the text behind ')'");
    return result;
  }

 private:
  bool take(std::string_view symbol) {
    if (!tokens_[at_].is(symbol)) return false;
    ++at_;
    return true;
  }

  void expect(std::string_view symbol, std::string_view what) {
    if (!take(symbol)) fail(what);
  }

  std::string name(std::string_view what) {
    if (tokens_[at_].kind != TokenKind::kName) fail(what);
    return std::string(tokens_[at_++].text);
  }

  void argument(Signature& signature) {
    const TextSpan span = tokens_[at_].span;
    std::string argument = name("an argument's name");
    if (std::ranges::find(signature.arguments, argument) != signature.arguments.end())
      throw LanguageError(text_, span, cat("argument ", quoted(argument), " is there twice"),
                          "arguments need different names");
    signature.arguments.push_back(std::move(argument));
  }

  [[noreturn]] void fail(std::string_view needed) const {
    const Token& token = tokens_[at_];
    const bool word =
        token.kind == TokenKind::kBoolean || token.is("and") || token.is("or") || token.is("not");
    const std::string found = token.kind == TokenKind::kEnd ? "the text ends"
                              : word ? cat("the word ", quoted(token.text), " stands")
                                     : cat(quoted(token.text), " stands");
    throw LanguageError(text_, token.span, cat(found, " in place of ", needed), kForm);
  }

  std::string_view text_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
};

}  // namespace

Signature parse_signature(std::string_view text) { return SignatureReader(text).read(); }

}  // namespace jacquard::models
