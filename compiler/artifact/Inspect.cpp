// See Inspect.h. The file is verified by the runtime's own checks, gathered into plain numbers, and
// printed. Strings in it may hold anything: they are escaped before a terminal sees them.
#include "compiler/artifact/Inspect.h"
#include "compiler/artifact/IndexSets.h"
#include "compiler/artifact/WeightStream.h"
#include "runtime/host/Verify.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include <map>

using namespace coppice;

namespace {
struct KeptSet {
  uint32_t before = 0;
  std::vector<uint32_t> kept; // ascending
};

struct LayerShape {
  bool attention, ffn;
  uint32_t headDim;
  KeptSet heads, kvHeads, neurons;
};

struct RoleBytes {
  std::string role;
  std::string formats; // "f16", or "f32, f16"
  uint64_t count = 0, bytes = 0;
};

struct Contents {
  coppice_prefix prefix;
  const artifact::Artifact *metadata;
  std::vector<LayerShape> layers;
  std::vector<RoleBytes> roles; // in the order in which they first come
  uint64_t tokenizerBytes = 0;
  uint64_t paddingBytes = 0; // between parts and between weights
};
} // namespace

static llvm::Expected<KeptSet> keptSet(const artifact::IndexSet &set) {
  auto kept = readIndexSet(set);
  if (!kept)
    return kept.takeError();
  return KeptSet{set.before(), std::move(*kept)};
}

static llvm::Expected<Contents> gather(const runtime::VerifiedArtifact &verified) {
  Contents contents{verified.prefix, verified.metadata, {}, {}};
  for (const artifact::Layer *layer : *verified.metadata->model()->layers()) {
    auto heads = keptSet(*layer->heads());
    if (!heads)
      return heads.takeError();
    auto kvHeads = keptSet(*layer->kv_heads());
    if (!kvHeads)
      return kvHeads.takeError();
    auto neurons = keptSet(*layer->neurons());
    if (!neurons)
      return neurons.takeError();
    contents.layers.push_back({layer->attention(), layer->ffn(), layer->head_dim(),
                               std::move(*heads), std::move(*kvHeads), std::move(*neurons)});
  }

  uint64_t weightBytes = 0;
  std::map<uint16_t, size_t> places;
  for (const artifact::Weight *weight : *verified.metadata->weights()) {
    auto [place, isNew] = places.try_emplace(weight->role(), contents.roles.size());
    if (isNew)
      contents.roles.push_back({verified.metadata->roles()->Get(weight->role())->str(), "", 0, 0});
    RoleBytes &role = contents.roles[place->second];
    WeightFormat format = WeightFormat(weight->format());
    llvm::StringRef name = formatName(format);
    if (!llvm::is_contained(llvm::split(role.formats, ", "), name))
      role.formats += (role.formats.empty() ? "" : ", ") + name.str();
    uint64_t bytes = uint64_t(weight->rows()) * weight->cols() * formatBytes(format);
    ++role.count;
    role.bytes += bytes;
    weightBytes += bytes;
  }
  if (const auto *tokenizer = verified.metadata->tokenizer())
    contents.tokenizerBytes = tokenizer->size();
  contents.paddingBytes = verified.prefix.file_bytes - sizeof(coppice_prefix) -
                          verified.prefix.metadata.bytes - verified.prefix.code.bytes - weightBytes;
  return std::move(contents);
}

static uint64_t kvBytesPerPosition(const artifact::EntryPoint &entry) {
  return entry.memory()->kv_floats_per_position() * sizeof(float);
}

/// Of a session as long as the context; the cache grows in whole blocks.
static uint64_t kvBytesAtContext(const artifact::EntryPoint &entry, uint32_t context) {
  return llvm::SaturatingMultiply(kvBytesPerPosition(entry),
                                  llvm::alignTo(uint64_t(context), COPPICE_KV_BLOCK));
}

static std::optional<std::string> hashText(const artifact::Hash *hash) {
  if (!hash)
    return std::nullopt;
  return llvm::toHex(llvm::ArrayRef(hash->bytes()->data(), 32), /*LowerCase=*/true);
}

//===----------------------------------------------------------------------===//
// For programs
//===----------------------------------------------------------------------===//

static void writeJson(const Contents &contents, llvm::raw_ostream &stream) {
  llvm::json::OStream json(stream, 2);
  auto text = [](const flatbuffers::String &string) {
    return llvm::json::fixUTF8({string.c_str(), string.size()});
  };
  auto hash = [&](llvm::StringRef name, const artifact::Hash *hash) {
    if (auto hex = hashText(hash))
      json.attribute(name, *hex);
    else
      json.attribute(name, nullptr);
  };
  auto set = [&](llvm::StringRef name, const KeptSet &set) {
    json.attributeObject(name, [&] {
      json.attribute("before", set.before);
      json.attribute("kept", set.kept.size());
      json.attributeArray("ranges", [&] {
        for (size_t i = 0; i < set.kept.size();) {
          size_t end = i + 1;
          while (end < set.kept.size() && set.kept[end] == set.kept[end - 1] + 1)
            ++end;
          json.value(llvm::json::Array{set.kept[i], set.kept[end - 1]});
          i = end;
        }
      });
    });
  };

  const artifact::Artifact &metadata = *contents.metadata;
  const artifact::Model &model = *metadata.model();
  json.objectBegin();
  json.attribute("format_version", contents.prefix.version);
  json.attribute("kernel_abi", contents.prefix.kernel_abi);
  json.attributeObject("bytes", [&] {
    json.attribute("file", contents.prefix.file_bytes);
    json.attribute("prefix", sizeof(coppice_prefix));
    json.attribute("metadata", contents.prefix.metadata.bytes - contents.tokenizerBytes);
    json.attribute("tokenizer", contents.tokenizerBytes);
    json.attribute("code", contents.prefix.code.bytes);
    json.attributeArray("weights", [&] {
      for (const RoleBytes &role : contents.roles)
        json.object([&] {
          json.attribute("role", llvm::json::fixUTF8(role.role));
          json.attribute("formats", role.formats);
          json.attribute("count", role.count);
          json.attribute("bytes", role.bytes);
        });
    });
    json.attribute("padding", contents.paddingBytes);
  });
  json.attributeObject("model", [&] {
    json.attribute("family", text(*model.family()));
    json.attribute("vocabulary", model.vocabulary());
    json.attribute("token_limit", model.token_limit());
    json.attribute("context", model.context());
    json.attribute("parameters_before", model.parameters_before());
    json.attribute("parameters", model.parameters());
    json.attributeArray("stop_tokens", [&] {
      if (model.stop_tokens())
        for (int32_t token : *model.stop_tokens())
          json.value(token);
    });
  });
  json.attributeArray("layers", [&] {
    for (const LayerShape &layer : contents.layers)
      json.object([&] {
        json.attribute("attention", layer.attention);
        json.attribute("ffn", layer.ffn);
        json.attribute("head_dim", layer.headDim);
        set("heads", layer.heads);
        set("kv_heads", layer.kvHeads);
        set("neurons", layer.neurons);
      });
  });
  json.attributeArray("entry_points", [&] {
    for (const artifact::EntryPoint *entry : *metadata.entry_points())
      json.object([&] {
        json.attribute("level", entry->level());
        json.attribute("target", text(*entry->target()));
        json.attributeArray("features", [&] {
          if (entry->features())
            for (const flatbuffers::String *feature : *entry->features())
              json.value(text(*feature));
        });
        json.attribute("code_bytes", entry->code_bytes());
        json.attributeArray("kernels", [&] {
          for (const artifact::Kernel *kernel : *entry->kernels())
            json.value(text(*kernel->name()));
        });
        json.attribute("stages", entry->stages()->size());
        json.attribute("arena_bytes_per_row", entry->memory()->arena_bytes_per_row());
        json.attribute("kv_bytes_per_position", kvBytesPerPosition(*entry));
        json.attribute("kv_bytes_at_context", kvBytesAtContext(*entry, model.context()));
        hash("plan", entry->plan());
      });
  });
  json.attributeObject("provenance", [&] {
    json.attribute("compiler", text(*metadata.provenance()->compiler()));
    hash("source", metadata.provenance()->source());
  });
  json.objectEnd();
  stream << '\n';
}

//===----------------------------------------------------------------------===//
// For people
//===----------------------------------------------------------------------===//

/// 1234567 as "1,234,567".
static std::string grouped(uint64_t number) {
  std::string digits = std::to_string(number);
  for (int64_t at = int64_t(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(size_t(at), ",");
  return digits;
}

static std::string escaped(llvm::StringRef text) {
  std::string result;
  llvm::raw_string_ostream(result).write_escaped(text);
  return result;
}
static std::string escaped(const flatbuffers::String &text) {
  return escaped(llvm::StringRef(text.c_str(), text.size()));
}

static void writeLayers(const Contents &contents, llvm::raw_ostream &out) {
  auto cell = [](bool present, const KeptSet &set) {
    if (!present)
      return std::string("cut");
    return grouped(set.kept.size()) + " of " + grouped(set.before);
  };
  out << "layers        heads           KV heads        neurons\n";
  for (size_t i = 0; i < contents.layers.size(); ++i) {
    const LayerShape &layer = contents.layers[i];
    out << "  " << llvm::left_justify(std::to_string(i), 12)
        << llvm::left_justify(cell(layer.attention, layer.heads), 16)
        << llvm::left_justify(cell(layer.attention, layer.kvHeads), 16)
        << cell(layer.ffn, layer.neurons) << '\n';
  }
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
  uint64_t weights = 0;
  for (const RoleBytes &role : contents.roles)
    weights += role.bytes;
  row("  ", "weights", weights);
  for (const RoleBytes &role : contents.roles)
    row("    ", escaped(role.role), role.bytes, grouped(role.count) + " x " + role.formats);
  row("  ", "code", contents.prefix.code.bytes);
  row("  ", "tokenizer", contents.tokenizerBytes);
  row("  ", "metadata", contents.prefix.metadata.bytes - contents.tokenizerBytes);
  row("  ", "prefix, alignment", contents.paddingBytes + sizeof(coppice_prefix));
}

static void writeText(const Contents &contents, llvm::raw_ostream &out) {
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
  out << '\n';
  for (const artifact::EntryPoint *entry : *metadata.entry_points()) {
    label("target") << escaped(*entry->target());
    if (entry->features() && entry->features()->size()) {
      llvm::StringRef separator = ": ";
      for (const flatbuffers::String *feature : *entry->features()) {
        out << separator << escaped(*feature);
        separator = ", ";
      }
    }
    out << '\n';
    label("step") << grouped(entry->stages()->size()) << " stages, "
                  << grouped(entry->kernels()->size()) << " kernels\n";
    label("memory") << "arena " << grouped(entry->memory()->arena_bytes_per_row())
                    << " bytes a row; KV cache " << grouped(kvBytesPerPosition(*entry))
                    << " bytes a position, " << grouped(kvBytesAtContext(*entry, model.context()))
                    << " at full context\n";
    label("plan") << hashText(entry->plan()).value_or("none") << '\n';
  }
  label("source") << hashText(metadata.provenance()->source()).value_or("unknown") << '\n';
  label("compiler") << escaped(*metadata.provenance()->compiler()) << "\n\n";
  writeBytes(contents, out);
  out << '\n';
  writeLayers(contents, out);
}

llvm::Error coppice::inspectArtifact(llvm::StringRef path, bool json, llvm::raw_ostream &out) {
  auto refuse = [&](const llvm::Twine &why) {
    return llvm::createStringError(llvm::inconvertibleErrorCode(), "'" + path + "': " + why);
  };
  auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false,
                                          /*IsVolatile=*/false, llvm::Align(64));
  if (!file)
    return refuse("cannot be read: " + file.getError().message());
  coppice_error error;
  runtime::VerifiedArtifact verified;
  if (runtime::verifyArtifact(reinterpret_cast<const uint8_t *>((*file)->getBufferStart()),
                              (*file)->getBufferSize(), /*skipWeights=*/false, verified, &error))
    return refuse(error.message);
  auto contents = gather(verified);
  if (!contents)
    return refuse(llvm::toString(contents.takeError()));
  if (json)
    writeJson(*contents, out);
  else
    writeText(*contents, out);
  return llvm::Error::success();
}
