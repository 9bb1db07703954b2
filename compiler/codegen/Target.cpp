// Names to targets, and "native" to the best name that this host can run.
#include "compiler/codegen/Target.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include <map>

using namespace coppice;

static std::vector<std::string> missingOnHost(const Target &target) {
  static const auto host = llvm::sys::getHostCPUFeatures();
  std::vector<std::string> missing;
  for (const std::string &feature : target.features)
    if (!host.lookup(feature))
      missing.push_back(feature);
  return missing;
}

static llvm::Expected<Target> resolveNative() {
  llvm::Triple host(llvm::sys::getProcessTriple());
  if (host.getArch() != llvm::Triple::x86_64)
    return llvm::createStringError("target \"native\": this host is %s, and only x86-64 has named "
                                   "levels; name a target to compile for another machine",
                                   host.getArchName().str().c_str());
  llvm::ArrayRef<Target> levels = x86Targets();
  for (const Target &target : llvm::reverse(levels))
    if (!target.bf16Dots && missingOnHost(target).empty())
      return target;
  return llvm::createStringError("target \"native\": this host lacks %s of %s, the lowest level "
                                 "that code is generated for; name a target to compile for "
                                 "another machine",
                                 llvm::join(missingOnHost(levels.front()), ", ").c_str(),
                                 levels.front().name.c_str());
}

llvm::Expected<Target> coppice::resolveTarget(llvm::StringRef name) {
  if (name == "native")
    return resolveNative();
  if (name == "all-x86")
    return llvm::createStringError("target \"all-x86\" stands for several, and one is wanted here; "
                                   "name it");
  std::vector<std::string> known;
  for (const Target &target : x86Targets()) {
    if (name == target.name)
      return target;
    known.push_back(target.name);
  }
  return llvm::createStringError("target \"%s\" is not known; known are native, all-x86, %s",
                                 name.str().c_str(), llvm::join(known, ", ").c_str());
}

llvm::Expected<std::vector<Target>> coppice::resolveTargets(llvm::StringRef list) {
  std::vector<Target> targets;
  if (list == "all-x86") {
    llvm::copy_if(x86Targets(), std::back_inserter(targets),
                  [](const Target &level) { return !level.bf16Dots; });
    return std::move(targets);
  }
  // By place among the levels.
  std::map<size_t, Target> chosen;
  llvm::SmallVector<llvm::StringRef> names;
  list.split(names, ',');
  for (llvm::StringRef name : names) {
    if (name.empty())
      return llvm::createStringError("a target's name is empty in \"%s\"; put one comma between "
                                     "two names",
                                     list.str().c_str());
    if (name == "all-x86")
      return llvm::createStringError("target \"all-x86\" stands for all levels, and \"%s\" names "
                                     "others beside it; leave them out",
                                     list.str().c_str());
    auto target = resolveTarget(name);
    if (!target)
      return target.takeError();
    size_t rank =
        size_t(llvm::find_if(x86Targets(),
                             [&](const Target &level) { return level.name == target->name; }) -
               x86Targets().begin());
    std::string resolved = target->name;
    if (!chosen.try_emplace(rank, std::move(*target)).second)
      return llvm::createStringError(
          "target \"%s\" is in \"%s\" twice%s; leave one out", resolved.c_str(), list.str().c_str(),
          llvm::is_contained(names, "native") ? " (on this machine native is a name for it too)"
                                              : "");
  }
  for (auto &[rank, target] : chosen)
    targets.push_back(std::move(target));
  return std::move(targets);
}
