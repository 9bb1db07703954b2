// For programs: docs/inspect-json.md says what every member means, and they stay.
#include "compiler/artifact/InspectContents.h"
#include "runtime/host/Records.h"
#include "llvm/Support/JSON.h"

using namespace coppice;
using namespace coppice::inspect;

void coppice::inspect::writeJson(const Contents &contents, llvm::raw_ostream &stream) {
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
      json.attribute("kept", set.count);
      if (!set.recorded)
        return json.attribute("ranges", nullptr);
      json.attributeArray("ranges", [&] {
        for (auto [first, last] : set.ranges())
          json.value(llvm::json::Array{first, last});
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
    json.attribute("metadata", contents.metadataBytes());
    json.attribute("tokenizer", contents.tokenizerBytes);
    json.attribute("code", contents.prefix.code.bytes);
    json.attributeArray("weights", [&] {
      for (const RoleBytes &role : contents.roles)
        json.object([&] {
          json.attribute("role", llvm::json::fixUTF8(role.role));
          json.attribute("formats", role.formats);
          json.attribute("count", role.count);
          json.attribute("bytes", role.bytes);
          json.attribute("elements", role.elements);
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
    json.attribute("active_parameters", model.active_parameters());
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
        set("experts", layer.experts);
      });
  });
  json.attributeArray("entry_points", [&] {
    for (const artifact::EntryPoint *entry : *metadata.entry_points())
      json.object([&] {
        json.attribute("level", entry->level());
        json.attribute("rank", entry->rank());
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
        json.attribute("experts_per_token", entry->picks());
        json.attribute("stages", runtime::countStages(*entry).stages);
        json.attribute("arena_bytes_per_row", entry->memory()->arena_bytes_per_row());
        if (llvm::StringRef format = contents.kvFormat(); !format.empty())
          json.attribute("kv_format", format);
        else
          json.attribute("kv_format", nullptr);
        json.attribute("kv_bytes_per_position", entry->memory()->kv_bytes_per_position());
        if (const artifact::RingPlan *ring = entry->ring())
          json.attributeObject("kv_ring", [&] {
            json.attribute("bytes_per_position", ring->bytes_per_position());
            json.attribute("positions", ring->positions());
            json.attribute("largest_step", ring->largest_step());
          });
        else
          json.attribute("kv_ring", nullptr);
        json.attribute("kv_bytes_at_context",
                       kvBytesAtContext(cacheBytes(*entry), *entry, model.context()));
        hash("plan", entry->plan());
      });
  });
  json.attributeObject("provenance", [&] {
    json.attribute("compiler", text(*metadata.provenance()->compiler()));
    hash("source", metadata.provenance()->source());
    json.attribute("calibrated", metadata.provenance()->calibrated());
  });
  json.objectEnd();
  stream << '\n';
}
