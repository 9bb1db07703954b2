// Which format each matrix is packed in: the value of --weights.
//
// A list like "i4,head=i8,*.down_proj.weight=f16". A bare format holds for all matrices; head,
// embed and patterns of tensor names (*, ? and [] as in a shell; no {}) set it for some, and the
// last one that fits a matrix counts. A matrix that is both table and head, a tied one, is a head.
#pragma once
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/GlobPattern.h"
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace coppice {

enum class MatrixFormat { Stored, F32, F16, BF16, I8, I4 };

/// What a matrix is for; Head wins over Table. MixedHeads reads attention whose heads' widths are
/// no multiples of a group, so that groups hold values of several heads. A Router's products choose
/// experts.
enum class MatrixUse { Linear, MixedHeads, Router, Table, Head };

class WeightChoice {
public:
  /// Errors: a format or a pattern that is not one.
  static llvm::Expected<WeightChoice> parse(llvm::StringRef text);

  /// The format of the matrix `tensor`. Where nothing is said of them, tables and heads are i8
  /// beside i4 matrices: their errors reach the answer directly, and a table's bytes are read a row
  /// at a time. Matrices of mixed heads are f16 beside i8: one strong head in a group makes the
  /// others coarse, which was most of what i8 lost where heads are 16 wide (docs/quality.md).
  /// Routers stay as stored beside i8 and i4: a small matrix whose errors change which weights are
  /// multiplied at all.
  MatrixFormat of(llvm::StringRef tensor, MatrixUse use);

  /// What embed= says, if it is there.
  std::optional<MatrixFormat> ofTables() const;

  /// Patterns that no matrix has fitted so far, abridged for messages; empty if each had one.
  std::vector<std::string> unused() const;

private:
  struct Rule {
    std::unique_ptr<const std::string> text; // apart: the pattern refers to its characters
    std::optional<MatrixUse> use;            // Table or Head; none: pattern
    std::optional<llvm::GlobPattern> pattern;
    MatrixFormat format;
    bool used = false;
  };
  MatrixFormat base = MatrixFormat::Stored;
  std::vector<Rule> rules;
};

} // namespace coppice
