// Values of one figure, one each round, and what stands for all of them.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

struct Values : std::vector<double> {
  double median() const {
    auto [low, high] = middle();
    return (low + high) / 2;
  }

  /// The median of ratios. Of an even count the two in the middle weigh as ratios do, 2 and 1/2
  /// give 1: it does not matter which of two files is the first, and one slow round of two does not
  /// make up for more than one fast one.
  double medianRatio() const {
    auto [low, high] = middle();
    return std::sqrt(low * high);
  }

private:
  std::pair<double, double> middle() const {
    if (empty())
      return {0, 0};
    std::vector<double> sorted(*this);
    std::sort(sorted.begin(), sorted.end());
    return {sorted[(sorted.size() - 1) / 2], sorted[sorted.size() / 2]};
  }
};
