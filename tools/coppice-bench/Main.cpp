// coppice-bench: rounds over the files, medians, and a table or JSON.
#include "tools/Signals.h"
#include "tools/coppice-bench/Arguments.h"
#include "tools/coppice-bench/Decode.h"
#include "tools/coppice-bench/Stream.h"
#include <algorithm>
#include <cstdio>
#include <deque>

namespace {

struct Rounds {
  std::vector<double> prefill, decode, bytes, ofStream, againstFirst;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

void printTable(const std::deque<Subject> &subjects, const std::vector<Rounds> &rounds) {
  std::printf("%-28s %12s %12s %10s %10s %8s %10s %14s\n", "file", "parameters", "weight MB",
              "prefill", "decode", "GB/s", "of stream", "against first");
  for (size_t i = 0; i < subjects.size(); ++i) {
    const std::string &path = subjects[i].path;
    std::printf(
        "%-28s %12llu %12.2f %10.1f %10.1f %8.2f %10.3f %14.3f\n",
        path.substr(path.rfind('/') + 1).c_str(), (unsigned long long)subjects[i].info.parameters,
        subjects[i].info.weight_bytes / 1e6, median(rounds[i].prefill), median(rounds[i].decode),
        median(rounds[i].bytes) / 1e9, median(rounds[i].ofStream), median(rounds[i].againstFirst));
  }
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

void printJson(const std::deque<Subject> &subjects, const std::vector<Rounds> &rounds,
               const Arguments &arguments) {
  std::printf("[");
  for (size_t i = 0; i < subjects.size(); ++i) {
    std::printf("%s\n {\"file\": ", i ? "," : "");
    printString(subjects[i].path);
    std::printf(", \"target\": \"%s\", \"threads\": %u, \"rounds\": %u, \"prompt\": %u, "
                "\"decoded\": %u, \"parameters\": %llu, \"weight_bytes\": %llu, "
                "\"prefill_tokens_per_second\": %.3f, \"decode_tokens_per_second\": %.3f, "
                "\"decode_bytes_per_second\": %.0f, \"decode_of_stream\": %.4f, "
                "\"decode_against_first\": %.4f}",
                subjects[i].info.target, arguments.threads, arguments.rounds, arguments.prompt,
                arguments.decode, (unsigned long long)subjects[i].info.parameters,
                (unsigned long long)subjects[i].info.weight_bytes, median(rounds[i].prefill),
                median(rounds[i].decode), median(rounds[i].bytes), median(rounds[i].ofStream),
                median(rounds[i].againstFirst));
  }
  std::printf("\n]\n");
}

} // namespace

int main(int argc, char **argv) {
  coppice::tools::handleLostFiles(nullptr);
  Arguments arguments;
  if (int code = parseArguments(argc, argv, arguments); code >= 0)
    return code;
  std::deque<Subject> subjects; // a Subject stays where it is
  for (const std::string &file : arguments.files)
    if (!subjects.emplace_back().open(file, arguments.threads, arguments.prompt + arguments.decode))
      return 1;
  std::vector<Rounds> rounds(subjects.size());
  // Round 0 warms up and does not count.
  for (unsigned round = 0; round <= arguments.rounds; ++round) {
    double first = 0;
    for (size_t i = 0; i < subjects.size(); ++i) {
      double prefill = 0, decode = 0;
      if (!subjects[i].run(arguments.prompt, arguments.decode, prefill, decode))
        return 1;
      uint64_t weights = subjects[i].info.weight_bytes;
      double stream = streamBytesPerSecond(weights, arguments.threads);
      if (i == 0)
        first = decode;
      if (round == 0)
        continue;
      rounds[i].prefill.push_back(prefill);
      rounds[i].decode.push_back(decode);
      rounds[i].bytes.push_back(decode * weights);
      rounds[i].ofStream.push_back(stream ? decode * weights / stream : 0);
      rounds[i].againstFirst.push_back(decode / first);
    }
  }
  if (arguments.json)
    printJson(subjects, rounds, arguments);
  else
    printTable(subjects, rounds);
  return 0;
}
