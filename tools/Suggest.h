// What a mistyped option or command was perhaps meant to be.
#pragma once
#include <algorithm>
#include <initializer_list>
#include <string>
#include <vector>

namespace coppice::tools {

/// Insertions, removals and changes that turn `a` into `b`; also swaps of neighbours.
inline size_t editDistance(const std::string &a, const std::string &b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i)
    for (size_t j = 0; j <= b.size(); ++j) {
      if (!i || !j) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] =
          std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

/// "; did you mean --json?" if one of `known` is at most two edits away, and else nothing. What
/// `given` has from a "=" on does not count.
inline std::string didYouMean(const std::string &given, const std::vector<std::string> &known) {
  std::string name = given.substr(0, given.find('=')), best;
  if (name.size() > 64) // no slip of a finger
    return "";
  size_t least = 3;
  for (const std::string &candidate : known)
    if (size_t distance = editDistance(name, candidate);
        distance < least && distance < candidate.size() - 1) {
      least = distance;
      best = candidate;
    }
  return best.empty() ? "" : "; did you mean " + best + "?";
}

} // namespace coppice::tools
