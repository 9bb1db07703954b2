// See Report.h. The flat keys of the JSON are the first prompt's and the first context's.
#include "tools/coppice-bench/Report.h"
#include <algorithm>

namespace {

std::string shortName(const Row &row) {
  return row.subject->path.substr(row.subject->path.rfind('/') + 1);
}

/// Whether the weights are integers: then prefill multiplies those.
bool isQuantized(const Row &row) {
  const coppice_work &work = row.subject->work;
  return double(work.weight_bytes) < 1.5 * double(work.products + work.logit_products);
}

void printStages(const char *what, unsigned tokens, const Row &row, const Subject::Kinds &kinds) {
  std::vector<std::pair<std::string, Subject::Kind>> sorted(kinds.begin(), kinds.end());
  std::sort(sorted.begin(), sorted.end(),
            [](const auto &a, const auto &b) { return a.second.seconds > b.second.seconds; });
  double all = 0;
  for (auto &[name, kind] : sorted)
    all += kind.seconds;
  std::printf("\n%s, %u thread%s, %s %u\n%-44s %8s %12s %8s\n", shortName(row).c_str(), row.threads,
              row.threads == 1 ? "" : "s", what, tokens, "kernel", "stages", "us", "share");
  for (auto &[name, kind] : sorted)
    std::printf("%-44s %8u %12.1f %8.3f\n", name.c_str(), kind.stages, kind.seconds * 1e6,
                kind.seconds / all);
}

void printString(const std::string &text) {
  std::putchar('"');
  for (unsigned char c : text)
    if (c == '"' || c == '\\')
      std::printf("\\%c", c);
    else if (c < 0x20)
      std::printf("\\u%04x", c);
    else
      std::putchar(c);
  std::putchar('"');
}

void printKinds(const char *name, const Subject::Kinds &kinds) {
  std::printf(",\n  \"%s\": {", name);
  const char *comma = "";
  for (auto &[kernel, kind] : kinds) {
    std::printf("%s\n   ", comma);
    printString(kernel);
    std::printf(": {\"stages\": %u, \"seconds\": %.9f}", kind.stages, kind.seconds);
    comma = ",";
  }
  std::printf("}");
}

} // namespace

void printTables(const std::vector<Row> &rows) {
  std::printf("%-26s %7s  %-14s %11s %8s %7s %9s %10s %13s\n", "file", "threads", "measured",
              "tokens/s", "weights", "KV", "of stream", "of peak", "against first");
  for (const Row &row : rows) {
    const char *peak = isQuantized(row) ? "VNNI" : "FMA";
    for (const Measured &measured : row.prefill) {
      double share = (isQuantized(row) ? measured.ofDot : measured.ofFma).median();
      std::printf("%-26s %7u  prefill %-6u %11.1f %8s %7s %9s ", shortName(row).c_str(),
                  row.threads, measured.tokens, measured.speed.median(), "", "", "");
      if (share > 0)
        std::printf("%5.3f %-4s", share, peak);
      else
        std::printf("%10s", "");
      std::printf(" %13.3f\n", measured.againstFirst.medianRatio());
    }
    for (const Measured &measured : row.decode)
      std::printf("%-26s %7u  after %-8u %11.1f %8.2f %7.2f %9.3f %10s %13.3f\n",
                  shortName(row).c_str(), row.threads, measured.tokens, measured.speed.median(),
                  measured.weights.median() / 1e9, measured.kv.median() / 1e9,
                  measured.ofStreamWithKv.median(), "", measured.againstFirst.medianRatio());
  }
  for (const Row &row : rows)
    if (row.hasStages) {
      printStages("prefill", row.prefill.back().tokens, row, row.prefillStages);
      printStages("a token after", row.decode.back().tokens, row, row.decodeStages);
    }
}

void printJson(const std::vector<Row> &rows, const Arguments &arguments) {
  std::printf("[");
  const char *comma = "";
  for (const Row &row : rows) {
    const coppice_info &info = row.subject->info;
    std::printf("%s\n {\"file\": ", comma);
    comma = ",";
    printString(row.subject->path);
    std::printf(", \"target\": \"%s\", \"threads\": %u, \"rounds\": %u, \"prompt\": %u, "
                "\"decoded\": %u, \"parameters\": %llu, \"weight_bytes\": %llu,\n"
                "  \"token_weight_bytes\": %llu, \"kv_bytes_per_position\": %llu, "
                "\"ring_bytes_per_position\": %llu, \"ring_positions\": %u, "
                "\"stream_bytes_per_second\": %.0f,\n"
                "  \"vnni_products_per_second\": %.0f, \"fma_products_per_second\": %.0f,\n",
                info.target, row.threads, arguments.rounds, row.prefill.front().tokens,
                arguments.decode, (unsigned long long)info.parameters,
                (unsigned long long)info.weight_bytes,
                (unsigned long long)row.subject->work.weight_bytes,
                (unsigned long long)info.kv_bytes_per_position,
                (unsigned long long)info.ring_bytes_per_position, info.ring_positions,
                row.stream.median(), row.dot.median(), row.fma.median());
    const Measured &prefill = row.prefill.front(), &decode = row.decode.front();
    std::printf(
        "  \"prefill_tokens_per_second\": %.3f, \"decode_tokens_per_second\": %.3f, "
        "\"decode_bytes_per_second\": %.0f,\n  \"decode_of_stream\": %.4f, "
        "\"decode_of_stream_weights\": %.4f, \"decode_against_first\": %.4f,\n  \"prefill\": [",
        prefill.speed.median(), decode.speed.median(), decode.weights.median(),
        decode.ofStreamWithKv.median(), decode.ofStream.median(),
        decode.againstFirst.medianRatio());
    for (const Measured &each : row.prefill)
      std::printf("%s\n   {\"tokens\": %u, \"tokens_per_second\": %.3f, \"of_vnni\": %.4f, "
                  "\"of_fma\": %.4f, \"against_first\": %.4f}",
                  &each == &prefill ? "" : ",", each.tokens, each.speed.median(),
                  each.ofDot.median(), each.ofFma.median(), each.againstFirst.medianRatio());
    std::printf("],\n  \"decode\": [");
    for (const Measured &each : row.decode)
      std::printf("%s\n   {\"context\": %u, \"tokens_per_second\": %.3f, "
                  "\"weight_bytes_per_second\": %.0f, \"kv_bytes_per_second\": %.0f, "
                  "\"of_stream\": %.4f, \"of_stream_weights\": %.4f, \"against_first\": %.4f}",
                  &each == &decode ? "" : ",", each.tokens, each.speed.median(),
                  each.weights.median(), each.kv.median(), each.ofStreamWithKv.median(),
                  each.ofStream.median(), each.againstFirst.medianRatio());
    std::printf("]");
    if (row.hasStages) {
      printKinds("prefill_stages", row.prefillStages);
      printKinds("decode_stages", row.decodeStages);
    }
    std::printf("}");
  }
  std::printf("\n]\n");
}
