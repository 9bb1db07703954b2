// Messages quote what stands in files, and files may hold anything: what a terminal would obey, and
// ends of lines, are shown as codes, so that one error is one line of UTF-8.
#pragma once
#include <string>

namespace coppice::tools {

/// The bytes of the UTF-8 character at `at`, 1 to 4; 0 if none is there: shortest forms only, no
/// surrogates, nothing above U+10FFFF. `at` is below the size.
inline size_t utf8Length(const std::string &text, size_t at) {
  auto byte = [&](size_t i) {
    return static_cast<unsigned char>(at + i < text.size() ? text[at + i] : 0);
  };
  unsigned char lead = byte(0), low = 0x80, high = 0xBF; // bounds of the second byte
  if (lead < 0x80)
    return 1;
  size_t length = lead >= 0xC2 && lead < 0xE0 ? 2 : (lead & 0xF0) == 0xE0 ? 3 : 4;
  if (lead < 0xC2 || lead > 0xF4)
    return 0;
  low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : low;
  high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : high;
  if (byte(1) < low || byte(1) > high)
    return 0;
  for (size_t i = 2; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80)
      return 0;
  return length;
}

/// `text` with control characters (U+0000 to U+001F, U+007F to U+009F), and with what is no UTF-8,
/// as "\x1B".
inline std::string visible(const std::string &text) {
  static const char kDigits[] = "0123456789ABCDEF";
  std::string result;
  for (size_t i = 0; i < text.size();) {
    size_t length = utf8Length(text, i);
    auto byte = static_cast<unsigned char>(text[i]);
    bool control = length == 1 && (byte < 0x20 || byte == 0x7F);
    if (length == 2 && byte == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0) {
      byte = static_cast<unsigned char>(text[++i]); // U+0080 to U+009F
      control = true;
    }
    if (length && !control) {
      result.append(text, i, length);
      i += length;
      continue;
    }
    result += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    ++i;
  }
  return result;
}

/// The beginning of an argument that a message quotes, whole characters of it: 60 KB of it would
/// hide what is said of it.
inline std::string abridged(const std::string &argument) {
  size_t end = 100;
  if (argument.size() <= end)
    return argument;
  while (end > 96 && (argument[end] & 0xC0) == 0x80)
    --end;
  return argument.substr(0, end) + "...";
}

} // namespace coppice::tools
