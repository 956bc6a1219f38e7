#include "models/language/syntax.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "models/language/tokens.hpp"

namespace jacquard::models {
namespace {

Binding tighter(Binding binding) { return static_cast<Binding>(static_cast<int>(binding) + 1); }

bool opens(const Token& token) { return token.is("(") || token.is("["); }
bool closes(const Token& token) { return token.is(")") || token.is("]"); }

// A Pratt parser: expression(b) reads an operand and then all operators that bind at least as
// tightly as b. It recurses once per level of nesting, which is capped.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text), tokens_(tokenize(text)) {}

  SyntaxTree parse();

 private:
  int expression(Binding loosest);
  int operand(Binding loosest);
  int unary(Binding of_operand);
  int primary();
  int leaf(SyntaxKind kind);
  int parenthesised();
  int call();
  int list();
  int postfix(int subject);
  int transpose(int subject);
  int index(int subject);
  int index_item();
  int omitted(std::size_t at);
  void argument(SyntaxNode& call);

  const Token& peek(std::size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  const Token& next() { return tokens_[at_++]; }
  bool take(std::string_view symbol);
  int add(SyntaxNode node);
  SyntaxNode& node(int id) { return nodes_[static_cast<std::size_t>(id)]; }

  // Brackets, with the nesting that goes with them.
  void open();
  TextSpan close();  // the span from the opening bracket to the closing one
  void deepen(const Token& cause);

  [[noreturn]] void fail(TextSpan span, std::string message, std::string hint = "") const {
    throw LanguageError(text_, span, std::move(message), std::move(hint));
  }
  [[noreturn]] void fail_no_operand() const;
  [[noreturn]] void fail_after_operand() const;
  [[noreturn]] void fail_missing_operator() const;
  [[noreturn]] void fail_bracket() const;

  std::string_view text_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::vector<SyntaxNode> nodes_;
  std::vector<int> heights_;         // of nodes_
  std::vector<std::size_t> opened_;  // tokens of the brackets that are open
  int nesting_ = 0;
};

SyntaxTree Parser::parse() {
  if (peek().kind == TokenKind::kEnd)
    fail({text_.size(), 0}, "the text is empty", "an expression is needed, as in mean(x)");
  expression(Binding::kOr);
  if (peek().kind != TokenKind::kEnd) fail_after_operand();
  return {std::string(text_), std::move(nodes_)};
}

int Parser::expression(Binding loosest) {
  int left = operand(loosest);
  bool compared = false;
  for (;;) {
    const Token& token = peek();
    if (token.kind != TokenKind::kSymbol) return left;
    const std::optional<Binding> binding = binary_binding(token.text);
    if (!binding || *binding < loosest) return left;
    if (*binding == Binding::kComparison && std::exchange(compared, true))
      fail(token.span, "comparisons cannot be chained", "write 'a < b and b < c'");
    next();
    int right = 0;
    if (*binding == Binding::kPower) {
      deepen(token);
      right = expression(Binding::kPower);
      --nesting_;
    } else {
      right = expression(tighter(*binding));
    }
    left = add({.kind = SyntaxKind::kBinary,
                .span = join(node(left).span, node(right).span),
                .mark = token.span,
                .text = std::string(token.text),
                .children = {left, right}});
  }
}

// The minus is read wherever an operand may stand, as in 2^-1 and a*-b. 'not' is not: a + not b < c
// would read as a + (not (b < c)).
int Parser::operand(Binding loosest) {
  if (peek().is("-")) return unary(Binding::kMinus);
  if (peek().is("not")) {
    if (loosest > Binding::kNot)
      fail(peek().span, cat("'not' cannot stand behind ", quoted(tokens_[at_ - 1].text)),
           "put it in parentheses: (not ...)");
    return unary(Binding::kNot);
  }
  return postfix(primary());
}

int Parser::unary(Binding of_operand) {
  const Token& token = next();
  deepen(token);
  const int child = expression(of_operand);
  --nesting_;
  return add({.kind = SyntaxKind::kUnary,
              .span = join(token.span, node(child).span),
              .mark = token.span,
              .text = std::string(token.text),
              .children = {child}});
}

int Parser::primary() {
  const Token& token = peek();
  switch (token.kind) {
    case TokenKind::kNumber:
      return leaf(SyntaxKind::kNumber);
    case TokenKind::kBoolean:
      return leaf(SyntaxKind::kBoolean);
    case TokenKind::kText:
      return leaf(SyntaxKind::kText);
    case TokenKind::kName:
      return peek(1).is("(") ? call() : leaf(SyntaxKind::kName);
    case TokenKind::kSymbol:
      if (token.is("(")) return parenthesised();
      if (token.is("[")) return list();
      break;
    case TokenKind::kEnd:
      break;
  }
  fail_no_operand();
}

int Parser::leaf(SyntaxKind kind) {
  const Token& token = next();
  SyntaxNode result{.kind = kind, .span = token.span, .mark = token.span, .number = token.number};
  if (kind == SyntaxKind::kName) result.text = token.text;
  if (kind == SyntaxKind::kText) result.text = token.text.substr(1, token.text.size() - 2);
  return add(std::move(result));
}

int Parser::parenthesised() {
  open();
  const int inner = expression(Binding::kOr);
  node(inner).span = close();
  return inner;
}

int Parser::call() {
  const Token& name = next();
  SyntaxNode result{.kind = SyntaxKind::kCall, .mark = name.span, .text = std::string(name.text)};
  open();
  if (!peek().is(")")) {
    do {
      argument(result);
    } while (take(","));
  }
  result.span = join(name.span, close());
  return add(std::move(result));
}

void Parser::argument(SyntaxNode& call) {
  const Token& first = peek();
  if (first.kind == TokenKind::kName && peek(1).is("=")) {
    const std::string name(first.text);
    if (std::ranges::find(call.keywords, name, &Keyword::name) != call.keywords.end())
      fail(first.span, cat("argument ", quoted(name), " is given twice"));
    at_ += 2;
    call.keywords.push_back({name, first.span});
    call.children.push_back(expression(Binding::kOr));
    return;
  }
  const int value = expression(Binding::kOr);
  if (!call.keywords.empty() && !peek().is("="))
    fail(node(value).span,
         cat("an argument without a name stands behind ", quoted(call.keywords.back().name + "=")),
         "named arguments come last");
  call.children.push_back(value);
}

int Parser::list() {
  SyntaxNode result{.kind = SyntaxKind::kList};
  open();
  if (!peek().is("]")) {
    do {
      result.children.push_back(expression(Binding::kOr));
    } while (take(","));
  }
  result.span = result.mark = close();
  return add(std::move(result));
}

int Parser::postfix(int subject) {
  for (;;) {
    if (peek().is("."))
      subject = transpose(subject);
    else if (peek().is("["))
      subject = index(subject);
    else
      return subject;
  }
}

int Parser::transpose(int subject) {
  const Token& dot = next();
  const Token& name = peek();
  if (name.kind != TokenKind::kName)
    fail(dot.span, "'.' is not followed by a name", "'.T' is the transpose");
  if (name.text != "T")
    fail(join(dot.span, name.span), cat(quoted(cat('.', name.text)), " is not known"),
         "the only one is '.T', the transpose");
  next();
  const TextSpan mark = join(dot.span, name.span);
  return add({.kind = SyntaxKind::kUnary,
              .span = join(node(subject).span, mark),
              .mark = mark,
              .text = ".T",
              .children = {subject}});
}

int Parser::index(int subject) {
  SyntaxNode result{.kind = SyntaxKind::kIndex, .children = {subject}};
  open();
  do {
    result.children.push_back(index_item());
  } while (take(","));
  result.mark = close();
  result.span = join(node(subject).span, result.mark);
  return add(std::move(result));
}

int Parser::index_item() {
  const int begin = peek().is(":") ? omitted(peek().span.begin) : expression(Binding::kOr);
  if (!peek().is(":")) return begin;
  const TextSpan colon = next().span;
  const bool open_end =
      peek().is(",") || peek().is("]") || peek().is(":") || peek().kind == TokenKind::kEnd;
  const int end = open_end ? omitted(colon.end()) : expression(Binding::kOr);
  if (peek().is(":")) fail(peek().span, "a slice has no step", "slices are written begin:end");
  const TextSpan span = join(join(node(begin).span, colon), node(end).span);
  return add({.kind = SyntaxKind::kSlice, .span = span, .mark = span, .children = {begin, end}});
}

int Parser::omitted(std::size_t at) {
  const TextSpan here{at, 0};
  return add({.kind = SyntaxKind::kOmitted, .span = here, .mark = here});
}

bool Parser::take(std::string_view symbol) {
  if (!peek().is(symbol)) return false;
  ++at_;
  return true;
}

int Parser::add(SyntaxNode made) {
  int height = 0;
  for (const int child : made.children)
    height = std::max(height, heights_[static_cast<std::size_t>(child)]);
  if (++height > kMaxTreeHeight)
    fail(made.mark, cat("more than ", kMaxTreeHeight, " operations stand on one another"),
         "name parts of the text as definitions");
  nodes_.push_back(std::move(made));
  heights_.push_back(height);
  return static_cast<int>(nodes_.size()) - 1;
}

void Parser::open() {
  deepen(peek());
  opened_.push_back(at_++);
}

TextSpan Parser::close() {
  const Token& opening = tokens_[opened_.back()];
  if (!take(opening.is("(") ? ")" : "]")) fail_after_operand();
  opened_.pop_back();
  --nesting_;
  return join(opening.span, tokens_[at_ - 1].span);
}

void Parser::deepen(const Token& cause) {
  if (++nesting_ > kMaxNesting)
    fail(cause.span, cat("the text is nested more than ", kMaxNesting, " deep"),
         "name inner parts as definitions");
}

// An operand must stand here, and something else does.
void Parser::fail_no_operand() const {
  const Token& token = peek();
  const bool first = at_ == 0;
  const Token& before = tokens_[first ? 0 : at_ - 1];
  const bool at_end = token.kind == TokenKind::kEnd;
  if ((at_end && opens(before)) || closes(token)) {
    const bool matched =
        !opened_.empty() && !at_end && token.is(tokens_[opened_.back()].is("(") ? ")" : "]");
    if (!matched) fail_bracket();
  }
  if (at_end)
    fail(token.span, cat("the text ends behind ", quoted(before.text)), "an operand is missing");
  const std::string hint = token.is("+") ? "a sign '+' is not needed" : "";
  if (first) fail(token.span, cat("an operand is missing before ", quoted(token.text)), hint);
  fail(token.span,
       cat("an operand is missing between ", quoted(before.text), " and ", quoted(token.text)),
       hint);
}

// An expression is complete, and what follows it is neither an operator nor what the place asks
// for.
void Parser::fail_after_operand() const {
  const Token& token = peek();
  const std::size_t opening = opened_.empty() ? 0 : opened_.back();
  const bool in_list = !opened_.empty() && tokens_[opening].is("[");
  const bool in_call = opening > 0 && !in_list && tokens_[opening - 1].kind == TokenKind::kName;
  if (token.kind == TokenKind::kEnd || closes(token)) fail_bracket();
  if (token.is("="))
    fail(token.span, "'=' has no place here",
         in_call ? "arguments are named as in sum(t, axis=1); write '==' to compare"
                 : "write '==' to compare");
  if (token.is(",") && opened_.empty())
    fail(token.span, "',' stands outside of a call, a list and an index",
         "lists are written [a, b]");
  if (token.is(","))
    fail(token.span, "',' stands in parentheses that call nothing",
         "write ')' before it, or a list [a, b]");
  if (token.is(":"))
    fail(token.span, in_list ? "':' stands in a list" : "':' stands outside of an index",
         "slices are written x[0:10]");
  fail_missing_operator();
}

void Parser::fail_missing_operator() const {
  const Token& before = tokens_[at_ - 1];
  const Token& token = peek();
  const bool touching = before.span.end() == token.span.begin;
  std::string hint;
  if (token.kind == TokenKind::kText && touching && token.text[0] == '\'')
    hint = "write '.T' for the transpose";
  else if (token.kind != TokenKind::kText && !token.is("not"))
    hint = "a product is written with '*'";
  fail(token.span,
       cat("an operator is missing between ", quoted(before.text), " and ", quoted(token.text)),
       hint);
}

// The text ends, or a closing bracket stands where its opening one does not ask for it.
void Parser::fail_bracket() const {
  const Token& token = peek();
  if (opened_.empty())
    fail(token.span, cat(quoted(token.text), " closes nothing"),
         cat("delete it or write the '", token.is(")") ? '(' : '[', "' that it closes"));
  const Token& opening = tokens_[opened_.back()];
  if (token.kind == TokenKind::kEnd)
    fail(opening.span, cat(quoted(opening.text), " is never closed"));
  fail(opening.span, cat(quoted(opening.text), " is closed by ", quoted(token.text)),
       cat("write '", opening.is("(") ? ')' : ']', "'"));
}

}  // namespace

SyntaxTree parse_expression(std::string_view text) { return Parser(text).parse(); }

}  // namespace jacquard::models
