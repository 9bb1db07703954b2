// Messages quote what stands in files, and files may hold anything: what a terminal would obey, and
// ends of lines, are shown as codes, so that one error is one line.
#pragma once
#include <string>

namespace coppice::tools {

/// `text` with control characters (U+0000 to U+001F, U+007F to U+009F) as "\x1B".
inline std::string visible(const std::string &text) {
  static const char kDigits[] = "0123456789ABCDEF";
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    auto byte = static_cast<unsigned char>(text[i]);
    auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    if (byte == 0xC2 && next >= 0x80 && next < 0xA0) // U+0080 to U+009F in UTF-8
      byte = static_cast<unsigned char>(text[++i]);
    else if (byte >= 0x20 && byte != 0x7F) {
      result += text[i];
      continue;
    }
    result += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return result;
}

} // namespace coppice::tools
