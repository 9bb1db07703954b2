// Random pruning plans, and the search for a small plan that still fails.
#pragma once
#include "tests/support/RandomCheckpoint.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <set>

namespace coppice::test {

/// What a plan cuts, layer by layer; a block that goes whole has no list beside it.
struct RandomPlan {
  struct Layer {
    bool attention = false, ffn = false;
    std::set<int32_t> heads, neurons, experts;

    bool empty() const {
      return !attention && !ffn && heads.empty() && neurons.empty() && experts.empty();
    }
  };
  std::string modelType;
  std::map<int32_t, Layer> layers;

  /// The plan file's text: runs of neurons as ranges, both blocks of a layer as "whole".
  std::string json() const;
  /// Heads, neurons, experts and blocks named.
  size_t size() const;
};

/// Any heads, any neurons, all of either, whole KV groups, all but one, whole blocks; where there
/// are experts, any of them that leave as many as the router picks.
RandomPlan randomPlan(const ModelShape &shape, Random &random);

/// Cuts less and less, as long as `fails` holds, until nothing can be left out: no layer, no block
/// and no single head, neuron or expert. `fails(plan)` must hold at the start.
RandomPlan shrinkPlan(RandomPlan plan, llvm::function_ref<bool(const RandomPlan &)> fails);

} // namespace coppice::test
