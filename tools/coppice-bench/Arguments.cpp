// See Arguments.h.
#include "tools/coppice-bench/Arguments.h"
#include "tools/Message.h"
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

static const char kHelp[] =
    R"(coppice-bench - how fast artifacts run, against what the machine gives

usage: coppice-bench FILE [FILE ...] [options]

Each round runs every file in turn: prefills, then decoding token by token, then, with the same
threads, a plain read of as many bytes as a token reads, and loops of nothing but multiplications.
Medians over the rounds are printed; the ratios are taken within a round, so that they hold when the
machine's speed drifts.

  --threads LIST  threads, such as 1,2 (default 1; 256 at most)
  --prompt LIST   tokens of prefill, such as 32,128,512 (default 128)
  --context LIST  tokens before those decoded, such as 0,512,4096 (default: the first --prompt);
                  they are taken in before, untimed
  --decode N      tokens decoded (default 32)
  --rounds N      rounds (default 5)
  --chunk N       tokens of a prefill that one step takes at most (default 128)
  --stages        also what each kind of stage takes, in the last prefill and after the last
                  context, measured apart
  --json          a JSON array on standard output in place of the tables; docs/benchmarks.md says
                  what is in it

What goes beyond an artifact's context is left out. What it is doing is shown on a terminal.

columns:
  tokens/s       of prefill, or of decoding after so many tokens
  weights, KV    GB/s of weights and of KV cache read while decoding
  of stream      both together over the plain read's rate
  of peak        multiplications of a prefill's matrices over those of a loop of int8 dot products
                 (VNNI) or float32 multiply-adds (FMA), as the weights are
  against first  speed over that of the first file in the same round, with as many threads; with few
                 rounds it may be far from the ratio of the tokens/s beside it, which are medians of
                 their own: give more rounds

examples:
  coppice-bench dense.coppice masked.coppice pruned.coppice --threads 2
      the whole model, masked and pruned
  coppice-bench dense.coppice --threads 1,2 --prompt 32,128 --context 0,96 --decode 8 --stages
      prefill and decoding at several lengths, and where the time goes
)";

static bool number(const char *text, const char *end, unsigned least, unsigned most,
                   unsigned &value) {
  char *stop = nullptr;
  errno = 0;
  unsigned long parsed = std::strtoul(text, &stop, 10);
  if (errno || stop == text || stop != end || *text < '0' || *text > '9' || parsed < least ||
      parsed > most)
    return false;
  value = unsigned(parsed);
  return true;
}

/// Numbers with commas between.
static bool numbers(const char *text, unsigned least, unsigned most, std::vector<unsigned> &list) {
  list.clear();
  for (;;) {
    const char *end = std::strchr(text, ',');
    unsigned value = 0;
    if (!number(text, end ? end : text + std::strlen(text), least, most, value))
      return false;
    list.push_back(value);
    if (!end)
      return true;
    text = end + 1;
  }
}

/// As a message shows an argument.
static std::string shown(const char *argument) {
  return coppice::tools::visible(coppice::tools::abridged(argument));
}

int parseArguments(int argc, char **argv, Arguments &arguments) {
  constexpr unsigned kMost = 1u << 20;
  struct {
    const char *name;
    unsigned *value;
    std::vector<unsigned> *list;
    unsigned least, most;
    bool given = false;
  } options[] = {{"--threads", nullptr, &arguments.threads, 1, 256},
                 {"--prompt", nullptr, &arguments.prompts, 1, kMost},
                 {"--context", nullptr, &arguments.contexts, 0, kMost},
                 {"--decode", &arguments.decode, nullptr, 1, kMost},
                 {"--rounds", &arguments.rounds, nullptr, 1, 1000},
                 {"--chunk", &arguments.chunk, nullptr, 1, 65536}};
  for (int i = 1; i < argc; ++i) {
    const char *argument = argv[i];
    if (!std::strcmp(argument, "--help") || !std::strcmp(argument, "-h")) {
      std::fputs(kHelp, stdout);
      return 0;
    }
    if (!std::strcmp(argument, "--json") || !std::strcmp(argument, "--stages")) {
      (argument[2] == 'j' ? arguments.json : arguments.stages) = true;
      continue;
    }
    if (argument[0] != '-') {
      arguments.files.push_back(argument);
      continue;
    }
    bool known = false;
    for (auto &option : options) {
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
      if (option.given) {
        std::fprintf(stderr, "error: %s is given twice\n", option.name);
        return 2;
      }
      option.given = true;
      if (option.value
              ? !number(value, value + std::strlen(value), option.least, option.most, *option.value)
              : !numbers(value, option.least, option.most, *option.list)) {
        std::fprintf(stderr, "error: %s takes %s from %u to %u, not '%s'\n", option.name,
                     option.value ? "a number" : "numbers with commas between, each", option.least,
                     option.most, shown(value).c_str());
        return 2;
      }
    }
    if (!known &&
        (!std::strncmp(argument, "--json=", 7) || !std::strncmp(argument, "--stages=", 9))) {
      std::fprintf(stderr, "error: %s takes no value\n",
                   argument[2] == 'j' ? "--json" : "--stages");
      return 2;
    }
    if (!known) {
      std::fprintf(stderr, "error: there is no option %s; see coppice-bench --help\n",
                   shown(argument).c_str());
      return 2;
    }
  }
  if (arguments.files.empty()) {
    std::fputs("error: name at least one artifact; see coppice-bench --help\n", stderr);
    return 2;
  }
  if (arguments.contexts.empty())
    arguments.contexts = {arguments.prompts.front()};
  return -1;
}
