// See Arguments.h. Each option is one row of a table: its name and what takes its value.
#include "tools/coppice-run/Arguments.h"
#include "tools/Message.h"
#include "tools/Suggest.h"
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>

static const char kHelp[] = R"(coppice-run - run a compiled model

usage: coppice-run FILE (-p TEXT | --tokens IDS) [options]

examples:
  coppice-run model.coppice -p "Once upon a time"
      continue a text, always with the likeliest token
  coppice-run model.coppice -p "Once upon a time" --temperature 0.8 --top-p 0.9 --seed 7
      draw the tokens instead; the same seed draws the same text
  coppice-run model.coppice -p - -n 50 < prompt.txt
      take the prompt from standard input, generate at most 50 tokens
  coppice-run model.coppice --tokens 1,403,407 -n 10
      token ids in, token ids out: no tokenizer needed
  coppice-run model.coppice --tokens 1,403,407 --logits out.safetensors
      write the logits of every position, and generate nothing

what to run:
  -p TEXT             a prompt, in UTF-8; "-" reads it from standard input, less one end of line at
                      its end. Special tokens may be spelled out
  --tokens IDS        token ids with commas or spaces between them; "-" reads them from there
  -n N                tokens to generate at most (default 128; 0 with --logits). It ends earlier at
                      a stop token, which is not printed, and where the context is full
how to choose tokens:
  --temperature T     0 takes the likeliest token (default), 1 draws as the model says
  --top-k K           draw from the K likeliest only (default 0: from all)
  --top-p P           draw from the fewest that together have probability P (default 1)
  --seed S            of the drawing (default 0)
what comes out:
  --logits FILE       write the logits of the given tokens, run as one prefill, as safetensors:
                      `logits` [tokens, vocabulary] F32 and `tokens` [tokens] I32
  --print-tokens      print ids where text would be printed
  --echo              print the prompt before its continuation
  --quiet             no speed on standard error
how to run:
  --threads T         threads (default: one for each processor, fewer for small models)
  --pin               bind each thread to a processor of its own
  --target NAME       run the artifact's code for NAME (default: the best that this machine can run)
  --context N         use at most N positions of the model's context
  --skip-weight-check do not compute the weights' checksum when loading

  --version           the version

exit code: 0 success, 1 an error in the input, 2 a wrong call
)";

// Longer than any context holds; without a bound, an endless input would take all memory.
static constexpr size_t kMaxInputBytes = size_t(1) << 24;

[[gnu::format(printf, 1, 2)]] static int wrongCall(const char *format, ...) {
  char text[4096];
  va_list args;
  va_start(args, format);
  std::vsnprintf(text, sizeof text, format, args);
  va_end(args);
  std::fprintf(stderr, "error: %s; see coppice-run --help\n",
               coppice::tools::visible(text).c_str());
  return 2;
}

using coppice::tools::abridged;

static bool parse(const char *text, uint64_t most, uint64_t &value) {
  char *end = nullptr;
  errno = 0;
  value = std::strtoull(text, &end, 10);
  return text[0] >= '0' && text[0] <= '9' && !errno && !*end && value <= most;
}

static bool parse(const char *text, float &value) {
  char *end = nullptr;
  value = std::strtof(text, &end);
  return end != text && !*end;
}

/// Ids with a comma, spaces or ends of lines between them. Two commas have an id missing between
/// them, and so has one at either end.
static bool parseTokens(const std::string &text, std::vector<int32_t> &tokens, std::string &bad) {
  static const char kSpace[] = " \t\r\n";
  size_t at = text.find_first_not_of(kSpace);
  while (at != std::string::npos) {
    size_t end = std::min(text.find_first_of(", \t\r\n", at), text.size());
    bad = text.substr(at, end - at);
    uint64_t token;
    if (!parse(bad.c_str(), INT32_MAX, token))
      return false;
    tokens.push_back(int32_t(token));
    at = text.find_first_not_of(kSpace, end);
    if (at == std::string::npos || text[at] != ',')
      continue;
    at = text.find_first_not_of(kSpace, at + 1);
    bad.clear();
    if (at == std::string::npos)
      return false;
  }
  return true;
}

/// False, with a message, if it cannot be read, or has more than kMaxInputBytes.
static bool readStandardInput(std::string &text) {
  static char buffer[1 << 16];
  text.clear();
  while (size_t bytes = std::fread(buffer, 1, sizeof buffer, stdin)) {
    text.append(buffer, bytes);
    if (text.size() <= kMaxInputBytes)
      continue;
    std::fprintf(stderr,
                 "error: standard input has more than %zu bytes, and no context holds as many; "
                 "give a shorter prompt\n",
                 kMaxInputBytes);
    return false;
  }
  if (!std::ferror(stdin))
    return true;
  std::fputs("error: cannot read standard input\n", stderr);
  return false;
}

/// As a shell does for $(...), but once: what an editor or echo put behind the last word.
static void dropOneLineEnd(std::string &text) {
  if (text.empty() || text.back() != '\n')
    return;
  text.pop_back();
  if (!text.empty() && text.back() == '\r')
    text.pop_back();
}

int parseArguments(int argc, char **argv, Arguments &arguments) {
  bool hasTokens = false, hasLogits = false;
  std::set<std::string> given;
  std::string tokens;
  struct {
    const char *name;
    bool *flag;
  } const flags[] = {{"--print-tokens", &arguments.printTokens},
                     {"--echo", &arguments.echo},
                     {"--quiet", &arguments.quiet},
                     {"--pin", &arguments.pin},
                     {"--skip-weight-check", &arguments.skipWeightCheck}};
  struct {
    const char *name;
    uint32_t *number; // one of these three
    float *real;
    std::string *text;
    bool *given;          // set with it, or null
    uint32_t least, most; // of a number
  } const options[] = {
      {"-p", nullptr, nullptr, &arguments.prompt, &arguments.hasPrompt, 0, 0},
      {"--tokens", nullptr, nullptr, &tokens, &hasTokens, 0, 0},
      {"--logits", nullptr, nullptr, &arguments.logits, &hasLogits, 0, 0},
      {"--target", nullptr, nullptr, &arguments.target, nullptr, 0, 0},
      {"-n", &arguments.count, nullptr, nullptr, &arguments.hasCount, 0, INT32_MAX},
      {"--temperature", nullptr, &arguments.sampling.temperature, nullptr, nullptr, 0, 0},
      {"--top-k", &arguments.sampling.top_k, nullptr, nullptr, nullptr, 0, INT32_MAX},
      {"--top-p", nullptr, &arguments.sampling.top_p, nullptr, nullptr, 0, 0},
      {"--threads", &arguments.threads, nullptr, nullptr, nullptr, 0, 1024},
      {"--context", &arguments.context, nullptr, nullptr, nullptr, 1, INT32_MAX},
  };
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument == "--help" || argument == "-h") {
      std::fputs(kHelp, stdout);
      return 0;
    }
    if (argument.empty())
      return wrongCall("the name of the artifact is empty");
    if (argument[0] != '-') {
      if (!arguments.file.empty())
        return wrongCall("one artifact at a time, not '%s' and '%s'", arguments.file.c_str(),
                         argv[i]);
      arguments.file = argument;
      continue;
    }
    if (argument == "--version") {
      std::fputs("coppice-run " COPPICE_VERSION "\n", stdout);
      return 0;
    }
    bool known = false;
    for (const auto &flag : flags)
      if (argument == flag.name)
        known = *flag.flag = true;
    if (known)
      continue;
    // "--name=value", or "--name value".
    size_t equals = argument.rfind("--", 0) == 0 ? argument.find('=') : std::string::npos;
    std::string name = argument.substr(0, equals);
    const char *value = equals != std::string::npos ? argv[i] + equals + 1
                        : i + 1 < argc              ? argv[i + 1]
                                                    : nullptr;
    for (const auto &flag : flags)
      if (name == flag.name)
        return wrongCall("%s takes no value", flag.name);
    if (!given.insert(name).second)
      return wrongCall("%s is given twice", abridged(name).c_str());
    auto missing = [&] { return wrongCall("%s wants a value", name.c_str()); };
    for (const auto &option : options) {
      if (name != option.name)
        continue;
      known = true;
      if (!value)
        return missing();
      uint64_t number = 0;
      // A prompt may be empty.
      if (option.text && !*value && !option.given)
        return wrongCall("%s needs a value, and this one is empty", option.name);
      if (option.text)
        *option.text = value;
      else if (option.real && !parse(value, *option.real))
        return wrongCall("%s takes a number, not '%s'", option.name, abridged(value).c_str());
      else if (option.number && (!parse(value, option.most, number) || number < option.least))
        return wrongCall("%s takes a number from %u to %u, not '%s'", option.name, option.least,
                         option.most, abridged(value).c_str());
      if (option.number)
        *option.number = uint32_t(number);
      if (option.given)
        *option.given = true;
    }
    if (name == "--seed") {
      known = true;
      if (!value)
        return missing();
      if (!parse(value, UINT64_MAX, arguments.sampling.seed))
        return wrongCall("--seed takes a number from 0 to 18446744073709551615, not '%s'",
                         abridged(value).c_str());
    }
    if (!known) {
      std::vector<std::string> names = {"--seed", "--help", "--version"};
      for (const auto &flag : flags)
        names.push_back(flag.name);
      for (const auto &option : options)
        names.push_back(option.name);
      return wrongCall("there is no option %s%s", abridged(name).c_str(),
                       name == "--prompt" ? "; did you mean -p?"
                                          : coppice::tools::didYouMean(name, names).c_str());
    }
    if (equals == std::string::npos)
      ++i;
  }

  if (arguments.file.empty())
    return wrongCall("name an artifact");
  if (arguments.hasPrompt == hasTokens)
    return wrongCall(hasTokens ? "-p and --tokens exclude each other" : "give -p or --tokens");
  if (hasLogits && (arguments.logits.empty() || arguments.logits == "-"))
    return wrongCall("--logits takes the name of a file, not '%s'", arguments.logits.c_str());
  const float temperature = arguments.sampling.temperature, topP = arguments.sampling.top_p;
  if (!(temperature >= 0 && temperature <= 3.4e38f)) // NaN neither
    return wrongCall("--temperature takes a number of at least 0, not %g", double(temperature));
  if (!(topP > 0 && topP <= 1))
    return wrongCall("--top-p takes a number above 0 and of at most 1, not %g", double(topP));
  std::string &input = hasTokens ? tokens : arguments.prompt, bad;
  if (input == "-") {
    if (!readStandardInput(input))
      return 1;
    if (arguments.hasPrompt)
      dropOneLineEnd(input);
  }
  if (!parseTokens(tokens, arguments.tokens, bad))
    return bad.empty() ? wrongCall("--tokens has a comma with no id beside it")
                       : wrongCall("--tokens takes ids from 0 to %d, not '%s'", INT32_MAX,
                                   abridged(bad).c_str());
  if (!arguments.logits.empty() && !arguments.hasCount)
    arguments.count = 0;
  return -1;
}
