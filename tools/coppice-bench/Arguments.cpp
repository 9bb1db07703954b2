// See Arguments.h.
#include "tools/coppice-bench/Arguments.h"
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

static const char kHelp[] = R"(coppice-bench - how fast artifacts run, against what the memory gives

usage: coppice-bench FILE [FILE ...] [options]

Each round runs every file in turn: a prefill, then decoding token by token, then a plain read of as
many bytes as the model's weights, with the same threads. Medians over the rounds are printed; the
ratios are taken within a round, so that they hold when the machine's speed drifts.

  --threads N   threads (default 1)
  --rounds N    rounds (default 5)
  --prompt N    tokens of prefill (default 128)
  --decode N    tokens decoded after it (default 32)
  --json        a JSON array on standard output in place of the table

columns:
  prefill, decode   tokens per second
  GB/s              weight bytes read per second while decoding
  of stream         the same over the plain read's rate
  against first     decoding speed over that of the first file

example: the whole model, masked and pruned
  coppice-bench dense.coppice masked.coppice pruned.coppice --threads 2
)";

static bool number(const char *text, unsigned least, unsigned most, unsigned &value) {
  char *end = nullptr;
  errno = 0;
  unsigned long parsed = std::strtoul(text, &end, 10);
  if (errno || end == text || *end || text[0] == '-' || parsed < least || parsed > most)
    return false;
  value = unsigned(parsed);
  return true;
}

int parseArguments(int argc, char **argv, Arguments &arguments) {
  struct {
    const char *name;
    unsigned *value, least, most;
  } numbers[] = {{"--threads", &arguments.threads, 1, 1024},
                 {"--rounds", &arguments.rounds, 1, 1000},
                 {"--prompt", &arguments.prompt, 1, 1u << 20},
                 {"--decode", &arguments.decode, 1, 1u << 20}};
  for (int i = 1; i < argc; ++i) {
    const char *argument = argv[i];
    if (!std::strcmp(argument, "--help") || !std::strcmp(argument, "-h")) {
      std::fputs(kHelp, stdout);
      return 0;
    }
    if (!std::strcmp(argument, "--json")) {
      arguments.json = true;
      continue;
    }
    if (argument[0] != '-') {
      arguments.files.push_back(argument);
      continue;
    }
    bool known = false;
    for (auto &option : numbers) {
      size_t length = std::strlen(option.name);
      if (std::strncmp(argument, option.name, length))
        continue;
      const char *value = argument[length] == '='    ? argument + length + 1
                          : argument[length] != '\0' ? nullptr
                          : i + 1 < argc             ? argv[++i]
                                                     : "";
      if (!value)
        continue;
      known = true;
      if (!number(value, option.least, option.most, *option.value)) {
        std::fprintf(stderr, "error: %s takes a number from %u to %u, not '%s'\n", option.name,
                     option.least, option.most, value);
        return 2;
      }
    }
    if (!known) {
      std::fprintf(stderr, "error: there is no option %s; see coppice-bench --help\n", argument);
      return 2;
    }
  }
  if (arguments.files.empty()) {
    std::fputs("error: name at least one artifact; see coppice-bench --help\n", stderr);
    return 2;
  }
  return -1;
}
