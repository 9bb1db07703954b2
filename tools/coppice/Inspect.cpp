// coppice inspect: arguments to inspectArtifact.
#include "compiler/artifact/Inspect.h"
#include "tools/Message.h"
#include "tools/Suggest.h"
#include "tools/coppice/Commands.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

static const char kHelp[] =
    R"(coppice inspect - what is inside an artifact

usage: coppice inspect FILE [--json | --html OUT]

Verifies the whole file, then prints its model, target, memory plan, hashes, bytes by part, and what
each layer keeps, layers that keep the same on one line. The artifact need not be for this machine.

  --json       for programs, one object; docs/inspect-json.md says what is in it
  --html OUT   draws it: one page for any browser, without scripts, readable offline

examples:
  coppice inspect opt.coppice
  coppice inspect opt.coppice --html opt.html
  coppice inspect opt.coppice --json > opt.json
)";

static int wrongCall(const llvm::Twine &message) {
  llvm::errs() << "error: " << coppice::tools::visible(message.str())
               << "\nsee coppice inspect --help\n";
  return 2;
}

int coppice::inspectMain(llvm::ArrayRef<const char *> arguments) {
  bool json = false, options = true;
  const char *path = nullptr, *page = nullptr;
  for (size_t i = 0; i < arguments.size(); ++i) {
    llvm::StringRef argument = arguments[i];
    if (options && (argument == "--help" || argument == "-h")) {
      llvm::outs() << kHelp;
      return 0;
    }
    if (options && argument == "--") {
      options = false;
    } else if (options && argument == "--json") {
      json = true;
    } else if (options && (argument == "--html" || argument.starts_with("--html="))) {
      if (argument.consume_front("--html="))
        page = argument.data();
      else if (i + 1 < arguments.size())
        page = arguments[++i];
      if (!page || !*page)
        return wrongCall("--html needs the name of the page to write: --html OUT");
      if (llvm::StringRef(page) == "-")
        return wrongCall("a page does not go to standard output; name a file: --html OUT");
    } else if (options && argument.starts_with("--json=")) {
      return wrongCall("--json takes no value");
    } else if (options && argument.starts_with("-") && argument.size() > 1) {
      return wrongCall("there is no option " + tools::abridged(argument.str()) +
                       tools::didYouMean(argument.str(), {"--json", "--html", "--help"}));
    } else if (path) {
      return wrongCall("one artifact at a time: '" + llvm::Twine(path) + "' and '" + argument +
                       "' were given");
    } else {
      path = argument.data();
    }
  }
  if (!path)
    return wrongCall("name an artifact: coppice inspect FILE");
  if (json && page)
    return wrongCall("--json prints and --html draws: one of them at a time");
  llvm::Error error = page ? drawArtifact(path, page) : inspectArtifact(path, json, llvm::outs());
  if (error) {
    llvm::errs() << "error: " << tools::visible(llvm::toString(std::move(error))) << '\n';
    return 1;
  }
  return 0;
}
