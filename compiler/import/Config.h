// config.json: typed fields, each read once, and none that matters left unread.
#pragma once
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace coppice {

/// A size together with what says it, for errors about tensors that disagree: config fields, or
/// another tensor.
struct Dim {
  int64_t size;
  std::string field;
  bool ofTensor = false;
};

/// Reads the fields of one JSON object. Getters never fail on the spot: the first error is kept,
/// a harmless value is returned (the fallback, or the lowest value in range), and finish() reports
/// it. A field that is null counts as absent, as in Hugging Face's configs; but for a flag whose
/// fallback is true, null is refused, as the library takes it for false.
class ConfigReader {
public:
  /// `object` must outlive the reader. `file` names it in errors.
  ConfigReader(const llvm::json::Object &object, llvm::StringRef file);

  /// A field in [low, high]; without a fallback it must be there.
  int64_t integer(llvm::StringRef name, int64_t low, int64_t high,
                  std::optional<int64_t> fallback = std::nullopt);
  /// A finite number in [low, high].
  double number(llvm::StringRef name, double low, double high,
                std::optional<double> fallback = std::nullopt);
  bool flag(llvm::StringRef name, bool fallback);
  /// A list of numbers in [low, high]; it must be there.
  std::vector<double> numbers(llvm::StringRef name, double low, double high);
  std::string text(llvm::StringRef name, std::optional<std::string> fallback = std::nullopt);
  /// Sizes of tensors at most: no model comes near it, and what a config merely claims must not
  /// cost more memory than that.
  static constexpr int64_t kMostSize = 1 << 22;
  /// A positive size of at most kMostSize.
  Dim size(llvm::StringRef name, std::optional<Dim> fallback = std::nullopt);
  /// One of `choices`, each a spelling and what it means.
  template <typename T>
  T choice(llvm::StringRef name, llvm::StringRef fallback,
           llvm::ArrayRef<std::pair<llvm::StringRef, T>> choices) {
    std::string spelling = text(name, fallback.str());
    std::string known;
    for (const auto &[word, meaning] : choices) {
      if (spelling == word)
        return meaning;
      known += (known.empty() ? "" : ", ") + word.str();
    }
    fail(name, "is not supported; supported are: " + known);
    return choices.front().second;
  }
  /// A list of `count` of the words in `known`; nothing if the field is absent.
  std::optional<std::vector<std::string>> words(llvm::StringRef name, int64_t count,
                                                llvm::ArrayRef<llvm::StringRef> known);
  /// A token id or a list of them, each in [0, vocab); nullopt if the field is absent, and an empty
  /// list if it is there and null: then there is no such token.
  std::optional<std::vector<int32_t>> tokenIds(llvm::StringRef name, int64_t vocab);
  /// The fields of an object, or null if there is none. Shares this reader's error; call
  /// refuseUnread() on it when all its fields are read.
  std::unique_ptr<ConfigReader> object(llvm::StringRef name);

  bool has(llvm::StringRef name) const;
  /// There and null: not always what the library assumes without the field.
  bool isNull(llvm::StringRef name) const;
  /// Marks fields as read that the library's class for this family does not look at.
  void ignore(llvm::ArrayRef<llvm::StringRef> names);
  /// Records that `name`, with its value quoted, `what`.
  void fail(llvm::StringRef name, const llvm::Twine &what);
  /// Records that `name`, which is absent or null, is needed; `more` ends the sentence.
  void failMissing(llvm::StringRef name, const llvm::Twine &more = "");
  /// Records an error about every field that no getter asked for, the harmless ones excepted.
  void refuseUnread();
  /// refuseUnread(), then the first error of all.
  llvm::Error finish();

private:
  ConfigReader(const llvm::json::Object &object, llvm::StringRef file, std::string prefix,
               std::shared_ptr<std::string> error);
  /// Null if the field is absent or null; the field counts as read.
  const llvm::json::Value *find(llvm::StringRef name);

  const llvm::json::Object &fields;
  std::string file, prefix; // prefix: "rope_scaling." inside that object
  llvm::StringSet<> read;
  std::shared_ptr<std::string> error; // the first one; shared with nested readers
};

} // namespace coppice
