// See Report.h.
#include "compiler/pipeline/Report.h"
#include <map>

namespace coppice {

static llvm::json::Array numbers(const std::vector<int32_t> &list) {
  llvm::json::Array array;
  for (int32_t number : list)
    array.push_back(number);
  return array;
}

llvm::json::Value makeReport(const Program &program, uint64_t checkpointBytes,
                             uint64_t artifactBytes) {
  llvm::json::Array layers;
  for (const LayerSummary &layer : program.summary.layers)
    layers.push_back(llvm::json::Object{
        {"layer", layer.layer},
        {"attention", layer.attention},
        {"ffn", layer.ffn},
        {"head_dim", layer.headDim},
        {"heads_before", layer.headsBefore},
        {"heads", numbers(layer.heads)},
        {"kv_heads_before", layer.kvHeadsBefore},
        {"kv_heads", numbers(layer.kvHeads)},
        {"neurons_before", layer.neuronsBefore},
        {"neurons", int64_t(layer.neurons.size())},
        {"experts_before", layer.expertsBefore},
        {"experts", numbers(layer.experts)},
    });
  std::map<std::string, uint64_t> roles;
  uint64_t weightBytes = 0;
  for (const PackedWeight &weight : program.weights) {
    roles[weight.role] += weight.bytes;
    weightBytes += weight.bytes;
  }
  llvm::json::Object byRole;
  for (auto &[role, bytes] : roles)
    byRole[role] = bytes;
  std::string targets;
  uint64_t codeBytes = 0;
  for (const TargetCode &code : program.code) {
    targets += (targets.empty() ? "" : ",") + code.target;
    codeBytes += code.image.bytes.size();
  }
  return llvm::json::Object{
      {"version", 1},
      {"model_type", program.modelType},
      {"target", std::move(targets)},
      {"parameters_before", program.parametersBefore},
      {"parameters", program.summary.parameters},
      {"active_parameters", program.summary.activeParameters},
      {"checkpoint_bytes", checkpointBytes},
      {"artifact_bytes", artifactBytes},
      {"weight_bytes", weightBytes},
      {"code_bytes", codeBytes},
      {"weight_bytes_by_role", std::move(byRole)},
      {"arena_bytes_per_row", program.memory.arenaBytesPerRow},
      {"kv_bytes_per_position", program.memory.kvBytesPerPosition},
      {"ring_bytes_per_position", program.memory.ringBytesPerPosition},
      {"ring_positions", program.memory.ringPositions},
      {"context", program.context},
      {"layers", std::move(layers)},
  };
}

} // namespace coppice
