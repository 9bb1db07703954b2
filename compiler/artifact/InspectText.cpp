// For people. Strings in an artifact may hold anything: they are escaped before a terminal sees
// them.
#include "compiler/artifact/InspectContents.h"
#include "runtime/host/Records.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"

using namespace coppice;
using namespace coppice::inspect;

static std::string escaped(llvm::StringRef text) {
  std::string result;
  llvm::raw_string_ostream(result).write_escaped(text);
  return result;
}
static std::string escaped(const flatbuffers::String &text) {
  return escaped(llvm::StringRef(text.c_str(), text.size()));
}

/// The set in `cells` characters at most: # kept, . cut, where a character stands for several + if
/// at least half of them are kept, else -.
static std::string drawn(bool present, const KeptSet &set, uint32_t cells) {
  static const char kShades[] = {'.', '-', '+', '+', '#'};
  if (present && !set.recorded)
    return "not recorded";
  std::string text;
  for (uint8_t share : set.shares(std::min(set.before, cells), 4))
    text += kShades[present ? share : 0];
  return text;
}

/// "3", or "3-17" for layers of which all keep the same.
static std::string layerNumbers(size_t first, size_t last) {
  std::string text = std::to_string(first);
  return first == last ? text : text + "-" + std::to_string(last);
}

static void writeLayers(const Contents &contents, llvm::raw_ostream &out) {
  constexpr uint32_t kHeadCells = 32, kNeuronCells = 16;
  auto cell = [](bool present, const KeptSet &set) {
    if (!present)
      return std::string("cut");
    return grouped(set.count) + " of " + grouped(set.before);
  };
  // Where every query head has a KV head of its own, one column says it all.
  bool sharesKv = false, anyExperts = false;
  size_t headCells = 0;
  for (const LayerShape &layer : contents.layers) {
    sharesKv |= !(layer.heads == layer.kvHeads);
    anyExperts |= layer.experts.before != 0;
    headCells = std::max<size_t>(headCells, std::min(layer.heads.before, kHeadCells));
  }
  auto row = [&](const std::string &layer, const std::string &heads, const std::string &kvHeads,
                 const std::string &experts, const std::string &neurons, const std::string &headMap,
                 const std::string &neuronMap) {
    std::string line;
    llvm::raw_string_ostream stream(line);
    stream << llvm::left_justify(layer, 10) << llvm::left_justify(heads, 12);
    if (sharesKv)
      stream << llvm::left_justify(kvHeads, 12);
    if (anyExperts)
      stream << llvm::left_justify(experts, 12);
    stream << llvm::left_justify(neurons, 20)
           << llvm::left_justify(headMap, unsigned(std::max<size_t>(headCells, 5)) + 2)
           << neuronMap;
    out << llvm::StringRef(line).rtrim() << '\n';
  };
  row("layers", "heads", "KV heads", "experts", "neurons", "heads",
      anyExperts ? "neurons or experts" : "neurons");
  for (size_t first = 0, end; first < contents.layers.size(); first = end) {
    const LayerShape &layer = contents.layers[first];
    end = first + 1;
    while (end < contents.layers.size() && contents.layers[end] == layer)
      ++end;
    row("  " + layerNumbers(first, end - 1), cell(layer.attention, layer.heads),
        cell(layer.attention, layer.kvHeads),
        layer.experts.before ? cell(layer.ffn, layer.experts) : "",
        layer.experts.before ? "" : cell(layer.ffn, layer.neurons),
        drawn(layer.attention, layer.heads, kHeadCells),
        drawn(layer.ffn, layer.experts.before ? layer.experts : layer.neurons, kNeuronCells));
  }
  out << "\n# kept, . cut; where a sign stands for several: + at least half of them kept, - "
         "fewer\n";
  if (llvm::any_of(contents.layers,
                   [](const LayerShape &layer) { return !layer.neurons.recorded; }))
    out << "not recorded: the artifact says how many neurons are kept, but not which\n";
}

static void writeBytes(const Contents &contents, llvm::raw_ostream &out) {
  auto row = [&](llvm::StringRef indent, llvm::StringRef name, uint64_t bytes,
                 const llvm::Twine &remark = "") {
    std::string label = (indent + name).str();
    std::string note = remark.str();
    out << llvm::left_justify(label, 32) << llvm::right_justify(grouped(bytes), 16)
        << (note.empty() ? "" : "  ") << note << '\n';
  };
  row("", "bytes", contents.prefix.file_bytes);
  std::string bits = contents.bitsPerWeight();
  row("  ", "weights", contents.weightBytes, bits.empty() ? bits : bits + " bits a weight");
  for (const RoleBytes &role : contents.roles)
    row("    ", escaped(role.role), role.bytes, grouped(role.count) + " x " + role.formats);
  row("  ", "code", contents.prefix.code.bytes);
  row("  ", "tokenizer", contents.tokenizerBytes);
  row("  ", "metadata", contents.metadataBytes());
  row("  ", "prefix, alignment", contents.paddingBytes + sizeof(coppice_prefix));
}

/// What a step takes, with the plan it was made by.
static void writeShape(const artifact::EntryPoint &entry, uint32_t context,
                       llvm::StringRef kvFormat, llvm::raw_ostream &out) {
  auto label = [&](llvm::StringRef name) -> llvm::raw_ostream & {
    return out << llvm::left_justify(name, 14);
  };
  label("step") << grouped(runtime::countStages(entry).stages) << " stages, "
                << grouped(entry.kernels()->size()) << " kernels\n";
  label("memory") << "arena " << grouped(entry.memory()->arena_bytes_per_row())
                  << " bytes a row; KV cache " << kvFormat << (kvFormat.empty() ? "" : ", ")
                  << grouped(entry.memory()->kv_bytes_per_position()) << " bytes a position, ";
  if (const artifact::RingPlan *ring = entry.ring())
    out << "rings of " << grouped(ring->positions()) << " positions with "
        << grouped(ring->bytes_per_position()) << " bytes each, ";
  out << grouped(kvBytesAtContext(cacheBytes(entry), entry, context)) << " at full context\n";
  label("plan") << hashText(entry.plan()).value_or("none") << '\n';
}

void coppice::inspect::writeText(const Contents &contents, llvm::raw_ostream &out) {
  const artifact::Artifact &metadata = *contents.metadata;
  const artifact::Model &model = *metadata.model();
  auto label = [&](llvm::StringRef name) -> llvm::raw_ostream & {
    return out << llvm::left_justify(name, 14);
  };
  label("model") << escaped(*model.family()) << ", " << grouped(contents.layers.size())
                 << " layers, vocabulary " << grouped(model.vocabulary()) << ", context "
                 << grouped(model.context()) << '\n';
  label("parameters") << grouped(model.parameters()) << " of "
                      << grouped(model.parameters_before());
  if (model.parameters_before())
    out << llvm::format(" (%.1f %%)",
                        100.0 * double(model.parameters()) / double(model.parameters_before()));
  if (model.active_parameters() != model.parameters())
    out << "; " << grouped(model.active_parameters()) << " of them active for each token";
  out << '\n';
  // What neighbours have in common is said once, below them.
  const auto &entries = *metadata.entry_points();
  auto shape = [&](const artifact::EntryPoint &entry) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    writeShape(entry, model.context(), contents.kvFormat(), stream);
    return text;
  };
  for (uint32_t i = 0; i < entries.size(); ++i) {
    const artifact::EntryPoint &entry = *entries[i];
    label("target") << escaped(*entry.target());
    if (entry.features() && entry.features()->size()) {
      llvm::StringRef separator = ": ";
      for (const flatbuffers::String *feature : *entry.features()) {
        out << separator << escaped(*feature);
        separator = ", ";
      }
    }
    if (entries.size() > 1)
      out << "; " << grouped(entry.code_bytes()) << " bytes of code";
    out << '\n';
    std::string text = shape(entry);
    if (i + 1 == entries.size() || text != shape(*entries[i + 1]))
      out << text;
  }
  label("source") << hashText(metadata.provenance()->source()).value_or("unknown") << '\n';
  if (metadata.provenance()->calibrated())
    label("calibrated") << "yes: quantized weights were chosen by a text's statistics\n";
  label("compiler") << escaped(*metadata.provenance()->compiler()) << "\n\n";
  writeBytes(contents, out);
  out << '\n';
  writeLayers(contents, out);
}
