// What an artifact holds, as plain numbers: what inspect's three outputs (InspectText.cpp,
// InspectJson.cpp, InspectHtml.cpp) are written from, so that they cannot differ.
#pragma once
#include "runtime/host/Verify.h"
#include "runtime/schema/artifact_generated.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace coppice::inspect {

struct KeptSet {
  uint32_t before = 0;
  uint32_t count = 0;         // how many are kept
  std::vector<uint32_t> kept; // which, ascending; none if not recorded
  bool recorded = true;       // whether the artifact says which

  /// Stretches of neighbours, as their first and last number.
  std::vector<std::pair<uint32_t, uint32_t>> ranges() const;
  /// The set drawn in `cells` cells of equal width, at most `before`: the share of each that is
  /// kept, 0 to `levels`; 0 and `levels` only where none and all of it are. Not recorded: all
  /// alike.
  std::vector<uint8_t> shares(uint32_t cells, uint8_t levels) const;
  bool operator==(const KeptSet &other) const {
    return before == other.before && count == other.count && kept == other.kept;
  }
};

struct LayerShape {
  bool attention, ffn; // whether the block is there
  uint32_t headDim;
  KeptSet heads, kvHeads, neurons;
  KeptSet experts;   // before: 0 where the FFN has none
  bool ring = false; // its keys and values are kept in a ring

  bool operator==(const LayerShape &other) const {
    return attention == other.attention && ffn == other.ffn && headDim == other.headDim &&
           heads == other.heads && kvHeads == other.kvHeads && neurons == other.neurons &&
           experts == other.experts;
  }
  /// Query heads that share a KV head; 0 if the checkpoint's heads are not grouped evenly.
  uint32_t headsPerKvHead() const;
};

struct RoleBytes {
  std::string role;
  std::string formats; // "f16", or "f32, f16"
  uint64_t count = 0, bytes = 0;
  uint64_t elements = 0; // numbers of the model; tables of indices have none
};

/// Bytes of the keys and values of a position, over the layers with plain caches and over those
/// with rings.
struct CacheBytes {
  uint64_t plain = 0, ring = 0;
};

struct Contents {
  std::unique_ptr<llvm::MemoryBuffer> file; // what `metadata` points into
  coppice_prefix prefix;
  const artifact::Artifact *metadata;
  std::vector<LayerShape> layers;
  std::vector<RoleBytes> roles; // in the order in which they first come
  uint64_t weightBytes = 0, weightElements = 0;
  uint64_t tokenizerBytes = 0;
  uint64_t paddingBytes = 0; // between parts and between weights

  /// "4.50", over all weights with their scales; empty if there are none.
  std::string bitsPerWeight() const;
  /// Without the tokenizer, which lies in it.
  uint64_t metadataBytes() const { return prefix.metadata.bytes - tokenizerBytes; }
  /// What keys and values are cached as, which every entry point's kernels say by name: "f32",
  /// "bf16" or "i8"; empty if nothing is cached.
  llvm::StringRef kvFormat() const;
  /// What it would be with every KV head kept, in the same format (float32 if nothing is cached). A
  /// layer without attention counts as a ring if all others are one.
  CacheBytes cacheBytesBefore() const;
};

/// Verifies the artifact at `path`, every byte of it, and reads it.
llvm::Expected<Contents> readContents(llvm::StringRef path);

CacheBytes cacheBytes(const artifact::EntryPoint &entry);
/// Of a session of `entry` as long as the context; the cache grows in whole blocks.
uint64_t kvBytesAtContext(CacheBytes bytes, const artifact::EntryPoint &entry, uint32_t context);

/// 64 hexadecimal digits.
std::optional<std::string> hashText(const artifact::Hash *hash);
/// 1234567 as "1,234,567".
std::string grouped(uint64_t number);

void writeJson(const Contents &contents, llvm::raw_ostream &out);
void writeText(const Contents &contents, llvm::raw_ostream &out);
/// `title` is what the page calls the artifact.
void writeHtml(const Contents &contents, llvm::StringRef title, llvm::raw_ostream &out);

} // namespace coppice::inspect
