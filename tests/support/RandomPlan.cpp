// Plans as sets, so that shrinking is leaving things out.
#include "tests/support/RandomPlan.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/raw_ostream.h"

namespace coppice::test {

static void printList(llvm::raw_ostream &os, const char *key, const std::set<int32_t> &indices) {
  os << ", \"" << key << "\": [";
  for (auto it = indices.begin(); it != indices.end();) {
    int32_t first = *it, last = first;
    while (++it != indices.end() && *it == last + 1)
      last = *it;
    os << (first == *indices.begin() ? "" : ", ");
    if (last > first)
      os << '"' << first << '-' << last << '"';
    else
      os << first;
  }
  os << "]";
}

std::string RandomPlan::json() const {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "{\"version\": 1, \"model_type\": \"" << modelType << "\", \"remove\": [";
  const char *comma = "";
  for (const auto &[number, layer] : layers) {
    if (layer.empty())
      continue;
    os << comma << "{\"layer\": " << number;
    comma = ", ";
    if (layer.attention && layer.ffn)
      os << ", \"whole\": true";
    else if (layer.attention)
      os << ", \"attention\": true";
    else if (layer.ffn)
      os << ", \"ffn\": true";
    if (!layer.heads.empty())
      printList(os, "heads", layer.heads);
    if (!layer.neurons.empty())
      printList(os, "neurons", layer.neurons);
    if (!layer.experts.empty())
      printList(os, "experts", layer.experts);
    os << "}";
  }
  os << "]}";
  return text;
}

size_t RandomPlan::size() const {
  size_t size = 0;
  for (const auto &[number, layer] : layers)
    size += layer.attention + layer.ffn + layer.heads.size() + layer.neurons.size() +
            layer.experts.size();
  return size;
}

/// A set of [0, count) in one of the ways in which plans cut; `group` numbers belong together.
static std::set<int32_t> randomSet(int64_t count, int64_t group, Random &random) {
  std::set<int32_t> chosen;
  double density = random.uniform(0, 1);
  int64_t spared = random.between(0, count - 1), first = random.between(0, count / group - 1);
  int64_t way = random.between(0, 5);
  for (int64_t i = 0; i < count; ++i) {
    bool cut = way == 0   ? true               // all
               : way == 1 ? i != spared        // all but one
               : way == 2 ? i / group == first // one group
               : way == 3 ? i / group == first || random.chance(density)
                          : random.chance(density);
    if (cut)
      chosen.insert(i);
  }
  return chosen;
}

/// Up to so many that the router can still pick `chosen`.
static std::set<int32_t> randomExperts(int64_t count, int64_t chosen, Random &random) {
  std::set<int32_t> cut;
  for (int64_t left = random.between(0, count - chosen); left > 0; --left)
    cut.insert(random.between(0, count - 1));
  return cut;
}

RandomPlan randomPlan(const ModelShape &shape, Random &random) {
  RandomPlan plan;
  plan.modelType = shape.modelType();
  for (int64_t number = 0; number < shape.layers; ++number) {
    RandomPlan::Layer layer;
    if (random.chance(0.15))
      layer.attention = true;
    else if (random.chance(0.8))
      layer.heads = randomSet(shape.heads, shape.heads / shape.kvHeads, random);
    if (random.chance(0.15))
      layer.ffn = true;
    else if (int64_t experts = shape.expertsIn(number))
      layer.experts = randomExperts(experts, shape.chosen, random);
    else if (random.chance(0.8))
      layer.neurons = randomSet(shape.ffn, 1, random);
    if (!layer.empty())
      plan.layers[number] = layer;
  }
  return plan;
}

/// One thing that a plan may do without.
struct Atom {
  enum Kind { Attention, Ffn, Head, Neuron, Expert } kind;
  int32_t layer, index;
};

static llvm::SmallVector<Atom, 0> atomsOf(const RandomPlan &plan) {
  llvm::SmallVector<Atom, 0> atoms;
  for (const auto &[number, layer] : plan.layers) {
    if (layer.attention)
      atoms.push_back({Atom::Attention, number, 0});
    if (layer.ffn)
      atoms.push_back({Atom::Ffn, number, 0});
    for (int32_t head : layer.heads)
      atoms.push_back({Atom::Head, number, head});
    for (int32_t neuron : layer.neurons)
      atoms.push_back({Atom::Neuron, number, neuron});
    for (int32_t expert : layer.experts)
      atoms.push_back({Atom::Expert, number, expert});
  }
  return atoms;
}

static RandomPlan without(RandomPlan plan, llvm::ArrayRef<Atom> atoms) {
  for (const Atom &atom : atoms) {
    RandomPlan::Layer &layer = plan.layers[atom.layer];
    switch (atom.kind) {
    case Atom::Attention:
      layer.attention = false;
      break;
    case Atom::Ffn:
      layer.ffn = false;
      break;
    case Atom::Head:
      layer.heads.erase(atom.index);
      break;
    case Atom::Neuron:
      layer.neurons.erase(atom.index);
      break;
    case Atom::Expert:
      layer.experts.erase(atom.index);
      break;
    }
    if (layer.empty())
      plan.layers.erase(atom.layer);
  }
  return plan;
}

RandomPlan shrinkPlan(RandomPlan plan, llvm::function_ref<bool(const RandomPlan &)> fails) {
  // Runs of atoms of halving length; a run of one that helped starts the round of ones again.
  for (size_t run = plan.size(); run > 0;) {
    bool smaller = false;
    llvm::SmallVector<Atom, 0> atoms = atomsOf(plan);
    for (size_t begin = 0; begin < atoms.size(); begin += run) {
      size_t count = std::min(run, atoms.size() - begin);
      RandomPlan candidate = without(plan, llvm::ArrayRef(atoms).slice(begin, count));
      if (fails(candidate)) {
        plan = candidate;
        smaller = true;
      }
    }
    if (run > 1 || !smaller)
      run /= 2;
  }
  return plan;
}

} // namespace coppice::test
