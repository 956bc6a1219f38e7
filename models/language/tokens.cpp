#include "models/language/tokens.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <system_error>

#include "models/language/unicode.hpp"

namespace jacquard::models {
namespace {

// std::isalpha and its kin depend on the locale.
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Longer symbols first; those of one character are found in kShortSymbols.
constexpr std::array<std::string_view, 4> kLongSymbols = {"<=", ">=", "==", "!="};
constexpr std::string_view kShortSymbols = "()[],:=+-*/@^<>.";
constexpr std::array<std::string_view, 3> kWords = {"and", "or", "not"};

// What other languages write; tried after kLongSymbols and before kShortSymbols, longer ones first.
struct ForeignSymbol {
  std::string_view text;
  std::string_view hint;
};
constexpr std::array kForeignSymbols = {
    ForeignSymbol{"**", "write '^' for powers"},
    ForeignSymbol{"//", "there is no integer division; '/' divides"},
    ForeignSymbol{"&&", "write 'and'"},
    ForeignSymbol{"||", "write 'or'"},
    ForeignSymbol{"<>", "write '!='"},
    ForeignSymbol{"=<", "write '<='"},
    ForeignSymbol{"=>", "write '>='"},
    ForeignSymbol{".*", "'*' works element by element, '@' is the matrix product"},
    ForeignSymbol{"./", "'/' works element by element"},
    ForeignSymbol{".^", "'^' works element by element"},
    ForeignSymbol{"&", "write 'and'"},
    ForeignSymbol{"|", "write 'or'"},
    ForeignSymbol{"!", "write 'not'"},
    ForeignSymbol{"~", "write 'not'"},
};

std::string_view hint_for_character(char c) {
  switch (c) {
    case '{':
    case '}':
      return "lists are written [1, 2]";
    case '?':
      return "a choice is written where(condition, a, b)";
    case '#':
      return "comments belong outside of the text";
    case ';':
      return "one text is one expression; name parts of it as definitions";
    default:
      return "";
  }
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  std::vector<Token> run();

 private:
  char at(std::size_t i) const { return i < text_.size() ? text_[i] : '\0'; }
  [[noreturn]] void fail(std::size_t begin, std::size_t length, std::string message,
                         std::string_view hint) const {
    throw LanguageError(text_, {begin, length}, std::move(message), std::string(hint));
  }

  void add(TokenKind kind, std::size_t length, double number = 0);
  void read_number();
  void read_word();
  void read_text();
  void read_symbol();
  std::size_t number_length() const;
  [[noreturn]] void fail_number(std::string_view written, std::string_view rest) const;
  [[noreturn]] void fail_character() const;
  bool follows_operand() const;

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<Token> tokens_;
};

std::vector<Token> Lexer::run() {
  if (text_.size() > kMaxTextLength)
    fail(kMaxTextLength, text_.size() - kMaxTextLength,
         cat("the text has ", text_.size(), " bytes; at most ", kMaxTextLength, " are allowed"),
         "name parts of it as definitions");
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (is_blank(c))
      ++at_;
    else if (is_digit(c) || (c == '.' && is_digit(at(at_ + 1))))
      read_number();
    else if (is_letter(c))
      read_word();
    else if (c == '\'' || c == '"')
      read_text();
    else
      read_symbol();
  }
  add(TokenKind::kEnd, 0);
  return std::move(tokens_);
}

void Lexer::add(TokenKind kind, std::size_t length, double number) {
  tokens_.push_back({kind, text_.substr(at_, length), {at_, length}, number});
  at_ += length;
}

// Everything that could be meant as part of the number, so that 1.2.3, 0x10 and 2x are refused as
// a whole. A sign belongs to it only behind the e of an exponent.
std::size_t Lexer::number_length() const {
  std::size_t end = at_;
  bool digits_only = true;
  while (is_digit(at(end)) || is_letter(at(end)) || at(end) == '.') {
    const char c = at(end++);
    if (is_digit(c) || c == '.') continue;
    const bool sign = at(end) == '+' || at(end) == '-';
    if (digits_only && (c == 'e' || c == 'E') && sign && is_digit(at(end + 1))) ++end;
    digits_only = false;
  }
  return end - at_;
}

void Lexer::read_number() {
  const std::string_view written = text_.substr(at_, number_length());
  const char* const end = written.data() + written.size();
  double value = 0;
  const auto [stop, error] = std::from_chars(written.data(), end, value);
  const std::string_view rest(stop, static_cast<std::size_t>(end - stop));
  if (!rest.empty()) fail_number(written, rest);

  // Neither kind of overflow is reported in the same way by every library: look at the digits too.
  const std::string_view mantissa = written.substr(0, written.find_first_of("eE"));
  const bool is_zero = mantissa.find_first_of("123456789") == std::string_view::npos;
  if (is_zero)
    value = 0;
  else if (error != std::errc() || value == 0 || std::isinf(value))
    fail(at_, written.size(), cat("number ", quoted(written), " is out of range"),
         "numbers lie between 4.9e-324 and 1.8e308");
  add(TokenKind::kNumber, written.size(), value);
}

void Lexer::fail_number(std::string_view written, std::string_view rest) const {
  const std::string_view number = written.substr(0, written.size() - rest.size());
  std::string hint = "numbers look like 1, 0.5 or 1e-3";
  const bool exponent = rest == "e" || rest == "E";
  const bool other_base = number == "0" && std::string_view("xXbBoO").find(rest[0]) != rest.npos;
  if (rest == "T" && number.ends_with('.'))
    hint = cat("write '(", number.substr(0, number.size() - 1), ").T'");
  else if (is_letter(rest[0]) && rest[0] != '_' && !exponent && !other_base && written.size() < 32)
    hint = cat("write '", number, "*", rest, "' for a product");
  fail(at_, written.size(), cat(quoted(written), " is not a number"), hint);
}

void Lexer::read_word() {
  std::size_t end = at_;
  while (is_letter(at(end)) || is_digit(at(end))) ++end;
  const std::string_view word = text_.substr(at_, end - at_);
  if (word == "true" || word == "false")
    add(TokenKind::kBoolean, word.size(), word == "true" ? 1 : 0);
  else if (std::ranges::find(kWords, word) != kWords.end())
    add(TokenKind::kSymbol, word.size());
  else
    add(TokenKind::kName, word.size());
}

void Lexer::read_text() {
  const char quote = text_[at_];
  const std::size_t close = text_.find(quote, at_ + 1);
  if (close == std::string_view::npos)
    fail(at_, 1, cat("the quote ", quote, " is never closed"),
         quote == '\'' && follows_operand() ? "write '.T' for the transpose" : "");
  for (std::size_t i = at_ + 1; i < close; ++i)
    if (text_[i] < 0x20 || text_[i] > 0x7E)
      fail(i, decode_utf8(text_, i).length,
           cat(describe_character(text_, i), " stands in a quoted text"),
           "quoted texts hold printable ASCII characters");
  add(TokenKind::kText, close + 1 - at_);
}

// True when the token before ends where we stand and can be an operand: a' is meant as a transpose.
bool Lexer::follows_operand() const {
  if (at_ == 0 || tokens_.empty() || tokens_.back().span.end() != at_) return false;
  const Token& last = tokens_.back();
  return last.kind == TokenKind::kName || last.is(")") || last.is("]");
}

void Lexer::read_symbol() {
  const std::string_view rest = text_.substr(at_);
  for (const std::string_view symbol : kLongSymbols)
    if (rest.starts_with(symbol)) return add(TokenKind::kSymbol, symbol.size());
  for (const ForeignSymbol& foreign : kForeignSymbols)
    if (rest.starts_with(foreign.text))
      fail(at_, foreign.text.size(), cat(quoted(foreign.text), " is not an operator"),
           foreign.hint);
  if (kShortSymbols.find(rest[0]) == std::string_view::npos) fail_character();
  add(TokenKind::kSymbol, 1);
}

void Lexer::fail_character() const {
  const CodePoint character = decode_utf8(text_, at_);
  const bool ascii = character.valid && character.value < 0x80;
  fail(at_, character.length, describe_character(text_, at_) + " is not part of the language",
       ascii ? std::string(hint_for_character(text_[at_])) : suggest_ascii(character));
}

}  // namespace

std::vector<Token> tokenize(std::string_view text) { return Lexer(text).run(); }

bool is_name(std::string_view text) {
  if (text.empty() || !is_letter(text[0])) return false;
  if (!std::ranges::all_of(text, [](char c) { return is_letter(c) || is_digit(c); })) return false;
  return text != "true" && text != "false" && std::ranges::find(kWords, text) == kWords.end();
}

}  // namespace jacquard::models
