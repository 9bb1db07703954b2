// The guard in front of LLVM's JSON parser, which keeps the last of two equal keys, reads 1e400 as
// infinity, turns lone surrogates into U+FFFD, reads \ud840\udc00 as U+10000 (it ors where it must
// add), and overflows the stack on deep nesting. The scan is iterative: its only stack is a vector
// of at most maxJsonDepth frames.
#include "compiler/import/Json.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/ConvertUTF.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

namespace coppice {
namespace {

// Longer than any number a program writes, and short enough that converting it costs nothing.
constexpr size_t maxNumberLength = 400;

// One object or list that is open at the cursor.
struct Frame {
  bool isObject;
  llvm::StringSet<> keys; // decoded
  std::string key;        // the last one read
  size_t index = 0;       // of the element being read, in a list
};

class Scanner {
public:
  Scanner(llvm::StringRef text, llvm::StringRef fileName) : text(text), fileName(fileName) {}

  llvm::Error run();
  /// The text with every pair of surrogate escapes replaced by the character it means.
  std::string withoutPairs() const;
  bool hasPairs() const { return !pairs.empty(); }

private:
  struct Pair {
    size_t start; // of its twelve characters
    uint32_t code;
  };
  llvm::Error fail(size_t at, const llvm::Twine &what);
  llvm::Error scanValueStart(bool &opened);
  llvm::Error scanKey();
  llvm::Error scanString(std::string *decoded);
  llvm::Error scanEscape(std::string *decoded);
  llvm::Error scanNumber();
  std::string path() const;

  char peek() const { return pos < text.size() ? text[pos] : '\0'; }
  bool atEnd() const { return pos >= text.size(); }
  void skipSpace() {
    while (!atEnd() && (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r'))
      ++pos;
  }
  bool take(llvm::StringRef word) {
    if (!text.substr(pos).starts_with(word))
      return false;
    pos += word.size();
    return true;
  }
  void takeDigits() {
    while (llvm::isDigit(peek()))
      ++pos;
  }

  llvm::StringRef text, fileName;
  size_t pos = 0;
  llvm::SmallVector<Frame, 8> open;
  std::vector<Pair> pairs;
};

void appendUtf8(std::string &to, uint32_t code) {
  char bytes[UNI_MAX_UTF8_BYTES_PER_CODE_POINT], *end = bytes;
  llvm::ConvertCodePointToUTF8(code, end);
  to.append(bytes, end);
}

std::string Scanner::withoutPairs() const {
  std::string result;
  size_t done = 0;
  for (const Pair &pair : pairs) {
    result += text.slice(done, pair.start);
    appendUtf8(result, pair.code);
    done = pair.start + 12;
  }
  return result += text.substr(done);
}

llvm::Error Scanner::fail(size_t at, const llvm::Twine &what) {
  llvm::StringRef before = text.take_front(at);
  size_t line = before.count('\n') + 1;
  size_t column = at - (before.rfind('\n') == llvm::StringRef::npos ? 0 : before.rfind('\n') + 1);
  return llvm::createStringError(llvm::Twine(fileName) + ":" + llvm::Twine(line) + ":" +
                                 llvm::Twine(column + 1) + ": " + what);
}

/// Where the cursor is: `$.remove[2].heads`.
std::string Scanner::path() const {
  std::string result = "$";
  for (const Frame &frame : open)
    result += frame.isObject ? "." + frame.key : "[" + std::to_string(frame.index) + "]";
  return result;
}

llvm::Error Scanner::scanEscape(std::string *decoded) {
  size_t start = pos - 1; // at the backslash
  auto readUnit = [&](uint32_t &unit) {
    llvm::StringRef digits = text.substr(pos, 4);
    if (digits.size() < 4 || !llvm::all_of(digits, llvm::isHexDigit))
      return false;
    digits.getAsInteger(16, unit);
    pos += 4;
    return true;
  };
  char kind = peek();
  ++pos;
  if (kind == 'u') {
    uint32_t unit;
    if (!readUnit(unit))
      return fail(start, "\\u must be followed by four hexadecimal digits");
    if (unit >= 0xDC00 && unit <= 0xDFFF)
      return fail(start, "an escape is the second half of a surrogate pair without the first");
    if (unit >= 0xD800 && unit <= 0xDBFF) {
      uint32_t low;
      if (!take("\\u") || !readUnit(low) || low < 0xDC00 || low > 0xDFFF)
        return fail(start, "an escape is the first half of a surrogate pair without the second");
      unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
      pairs.push_back({start, unit});
    }
    if (decoded)
      appendUtf8(*decoded, unit);
    return llvm::Error::success();
  }
  static constexpr llvm::StringLiteral kinds = "\"\\/bfnrt", values = "\"\\/\b\f\n\r\t";
  size_t which = kinds.find(kind);
  if (which == llvm::StringRef::npos)
    return fail(start, "a backslash must be followed by one of \" \\ / b f n r t u");
  if (decoded)
    decoded->push_back(values[which]);
  return llvm::Error::success();
}

llvm::Error Scanner::scanString(std::string *decoded) {
  size_t start = pos++;
  for (;;) {
    if (atEnd())
      return fail(start, "a string is not closed");
    unsigned char c = text[pos++];
    if (c == '"')
      return llvm::Error::success();
    if (c < 0x20)
      return fail(pos - 1, "a control character inside a string must be escaped");
    if (c == '\\') {
      if (llvm::Error error = scanEscape(decoded))
        return error;
    } else if (decoded) {
      decoded->push_back(c);
    }
  }
}

llvm::Error Scanner::scanNumber() {
  size_t start = pos;
  take("-");
  if (!llvm::isDigit(peek()))
    return fail(start, "this is not a JSON value");
  if (!take("0"))
    takeDigits();
  if (take(".")) {
    if (!llvm::isDigit(peek()))
      return fail(start, "a number needs digits after its point");
    takeDigits();
  }
  if (take("e") || take("E")) {
    if (!take("+"))
      take("-");
    if (!llvm::isDigit(peek()))
      return fail(start, "a number needs digits in its exponent");
    takeDigits();
  }
  llvm::StringRef number = text.slice(start, pos);
  if (number.size() > maxNumberLength)
    return fail(start, "a number is longer than " + llvm::Twine(maxNumberLength) + " characters");
  double value;
  if (number.getAsDouble(value) || !std::isfinite(value))
    return fail(start, "the number " + number + " is out of range");
  return llvm::Error::success();
}

/// Reads a key and its colon, the cursor being before the key.
llvm::Error Scanner::scanKey() {
  skipSpace();
  size_t start = pos;
  if (peek() != '"')
    return fail(start, atEnd() ? "an object is not closed" : "an object's key must be a string");
  std::string key;
  if (llvm::Error error = scanString(&key))
    return error;
  Frame &frame = open.back();
  frame.key = key;
  if (!frame.keys.insert(key).second)
    return fail(start, "the key \"" + key + "\" stands twice, at " + path());
  skipSpace();
  if (!take(":"))
    return fail(pos, "a colon must follow the key \"" + key + "\"");
  return llvm::Error::success();
}

/// Reads a whole scalar, or the opening of a container with what precedes its first element; an
/// empty container is read whole. `opened` says that the cursor is before a container's element.
llvm::Error Scanner::scanValueStart(bool &opened) {
  opened = false;
  skipSpace();
  char c = peek();
  if (c == '"')
    return scanString(nullptr);
  if (c != '{' && c != '[') {
    if (take("true") || take("false") || take("null"))
      return llvm::Error::success();
    if (atEnd())
      return fail(pos, "the text ends where a value should stand");
    return scanNumber();
  }
  if (open.size() == maxJsonDepth)
    return fail(pos, "objects and lists are nested deeper than " + llvm::Twine(maxJsonDepth));
  ++pos;
  skipSpace();
  if (take(c == '{' ? "}" : "]"))
    return llvm::Error::success();
  open.push_back(Frame{c == '{', {}, {}, 0});
  opened = true;
  return c == '{' ? scanKey() : llvm::Error::success();
}

llvm::Error Scanner::run() {
  size_t bad;
  if (!llvm::json::isUTF8(text, &bad))
    return fail(bad, "the text is not UTF-8");
  if (text.starts_with("\xEF\xBB\xBF"))
    return fail(0, "the text begins with a byte order mark; save it as plain UTF-8");
  for (;;) {
    bool opened;
    if (llvm::Error error = scanValueStart(opened))
      return error;
    if (opened)
      continue;
    // A value has ended: close what ends with it, up to the next element.
    bool next = false;
    while (!open.empty() && !next) {
      Frame &frame = open.back();
      skipSpace();
      if (take(",")) {
        next = true;
        ++frame.index;
        if (frame.isObject)
          if (llvm::Error error = scanKey())
            return error;
      } else if (take(frame.isObject ? "}" : "]")) {
        open.pop_back();
      } else if (atEnd()) {
        return fail(pos, frame.isObject ? "an object is not closed" : "a list is not closed");
      } else {
        return fail(pos, frame.isObject ? "a comma or } must follow a value in an object"
                                        : "a comma or ] must follow a value in a list");
      }
    }
    if (!next)
      break;
  }
  skipSpace();
  if (!atEnd())
    return fail(pos, "there is more text after the end of the value");
  return llvm::Error::success();
}

} // namespace

llvm::Expected<llvm::json::Value> parseJson(llvm::StringRef text, llvm::StringRef fileName) {
  Scanner scanner(text, fileName);
  if (llvm::Error error = scanner.run())
    return std::move(error);
  std::string rewritten;
  if (scanner.hasPairs())
    text = rewritten = scanner.withoutPairs();
  llvm::Expected<llvm::json::Value> value = llvm::json::parse(text);
  if (!value)
    return llvm::createStringError(llvm::Twine(fileName) + ": " +
                                   llvm::toString(value.takeError()));
  return value;
}

std::string quoteJson(const llvm::json::Value &value) {
  std::string text;
  llvm::raw_string_ostream(text) << value;
  constexpr size_t longest = 80;
  if (text.size() <= longest)
    return text;
  // Cut between characters, not inside one.
  size_t cut = longest;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80)
    --cut;
  return text.substr(0, cut) + "...";
}

} // namespace coppice
