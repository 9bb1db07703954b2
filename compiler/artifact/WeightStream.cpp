// See WeightStream.h. A weight is cut into pieces of equal size; a group of pieces is packed in
// parallel into one buffer, and the buffer is handed on.
#include "compiler/artifact/WeightStream.h"
#include "compiler/artifact/ConstantRow.h"
#include "compiler/artifact/FloatFormats.h"
#include "compiler/artifact/PackPiece.h"
#include "compiler/artifact/PackQuantized.h"
#include "compiler/codegen/KernelArgs.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/ThreadPool.h"
#include <cmath>

using namespace coppice;

constexpr uint64_t kPieceBytes = 256 * 1024;
constexpr size_t kPiecesPerThread = 4;

bool coppice::isQuantized(WeightFormat format) {
  return format == WeightFormat::I8 || format == WeightFormat::I4;
}

unsigned coppice::formatBytes(WeightFormat format) {
  assert(!isQuantized(format) && "elements of quantized formats have no bytes of their own");
  return format == WeightFormat::F16 || format == WeightFormat::BF16 ? 2 : 4;
}

uint64_t coppice::weightRowBytes(WeightFormat format, uint64_t cols) {
  if (!isQuantized(format))
    return cols * formatBytes(format);
  uint64_t pack = format == WeightFormat::I8 ? 4 : 8, left = cols % args::kGroup;
  uint64_t bytes = cols / args::kGroup * (args::kGroup / pack * 4 + 2);
  return left ? bytes + llvm::divideCeil(left, pack) * 4 + 2 : bytes;
}

std::optional<uint64_t> coppice::weightBytes(WeightFormat format, int64_t rows, int64_t cols,
                                             uint32_t experts) {
  uint64_t bytes, before;
  if (rows < 0 || cols < 0 || cols > INT64_MAX / 8 || experts == 0 ||
      __builtin_mul_overflow(uint64_t(rows), weightRowBytes(format, uint64_t(cols)), &bytes) ||
      bytes > UINT64_MAX - 63 ||
      __builtin_mul_overflow(llvm::alignTo(bytes, 64), uint64_t(experts - 1), &before) ||
      __builtin_add_overflow(before, bytes, &bytes))
    return std::nullopt;
  return bytes;
}

llvm::StringRef coppice::formatName(WeightFormat format) {
  switch (format) {
  case WeightFormat::F32:
    return "f32";
  case WeightFormat::F16:
    return "f16";
  case WeightFormat::BF16:
    return "bf16";
  case WeightFormat::U32:
    return "u32";
  case WeightFormat::I8:
    return "i8";
  case WeightFormat::I4:
    return "i4";
  }
  llvm_unreachable("a format without a name");
}

uint64_t coppice::segmentBytes(llvm::ArrayRef<PackedWeight> weights) {
  return weights.empty() ? 0 : weights.back().offset + weights.back().bytes;
}

static std::string nameOf(const PackedWeight &weight) {
  std::string name = "weight '" + weight.role + "'";
  if (weight.layer >= 0)
    name += " of layer " + std::to_string(weight.layer);
  return name;
}

static llvm::Error invalid(const PackedWeight &weight, const llvm::Twine &what) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), nameOf(weight) + ": " + what);
}

namespace {
class Stream {
public:
  Stream(const Checkpoint &checkpoint, unsigned threads, uint64_t total, WeightProgress progress,
         WeightSink sink)
      : checkpoint(checkpoint), constants(checkpoint), pool(llvm::hardware_concurrency(threads)),
        total(total), progress(progress), sink(sink) {}

  llvm::Error add(const PackedWeight &weight) {
    if (llvm::Error error = pad(weight))
      return error;
    if (!weight.source)
      return addWords(weight);
    if (weight.experts > 1)
      return addExperts(weight);
    if (auto op = weight.source.getDefiningOp<lm::WeightOp>())
      return addTensor(weight, op);
    return addConstant(weight);
  }

private:
  /// Checks the weight's place, and fills up to it with zeros.
  llvm::Error pad(const PackedWeight &weight) {
    if (weightBytes(weight.format, weight.rows, weight.cols, weight.experts) != weight.bytes)
      return invalid(weight, llvm::Twine(weight.rows) + " rows of " + llvm::Twine(weight.cols) +
                                 " " + formatName(weight.format) + " do not take " +
                                 llvm::Twine(weight.bytes) + " bytes");
    if (weight.offset % 64 || weight.offset < done || weight.offset - done >= 64)
      return invalid(weight, "it lies at byte " + llvm::Twine(weight.offset) +
                                 ", which is not the first multiple of 64 from " +
                                 llvm::Twine(done) + " on");
    static const uint8_t zeros[64] = {};
    return emit({zeros, size_t(weight.offset - done)});
  }

  llvm::Error emit(llvm::ArrayRef<uint8_t> bytes) {
    if (bytes.empty())
      return llvm::Error::success();
    if (llvm::Error error = sink(bytes))
      return error;
    done += bytes.size();
    if (progress)
      progress(done, total);
    return llvm::Error::success();
  }

  llvm::Error addWords(const PackedWeight &weight) {
    if (isQuantized(weight.format) || formatBytes(weight.format) != 4 ||
        weight.words.size() * 4 != weight.bytes)
      return invalid(weight, "it is given as " + llvm::Twine(weight.words.size()) +
                                 " words, and takes " + llvm::Twine(weight.bytes) + " bytes of " +
                                 formatName(weight.format));
    buffer.resize(weight.bytes);
    for (size_t i = 0; i < weight.words.size(); ++i)
      llvm::support::endian::write32le(buffer.data() + i * 4, weight.words[i]);
    return emit(buffer);
  }

  /// Each as a weight of its own, so that no more of it is held than of any other.
  llvm::Error addExperts(const PackedWeight &weight) {
    if (weight.others.size() + 1 != weight.experts)
      return invalid(weight, "it has " + llvm::Twine(weight.others.size() + 1) + " matrices for " +
                                 llvm::Twine(weight.experts) + " experts");
    size_t cols = weight.importance.size() / weight.experts;
    uint64_t bytes = *weightBytes(weight.format, weight.rows, weight.cols);
    for (uint32_t e = 0; e < weight.experts; ++e) {
      PackedWeight one;
      one.role = weight.role;
      one.layer = weight.layer;
      one.format = weight.format;
      one.layout = weight.layout;
      one.rows = weight.rows;
      one.cols = weight.cols;
      one.offset = weight.offset + e * llvm::alignTo(bytes, 64);
      one.bytes = bytes;
      one.source = e ? weight.others[e - 1] : weight.source;
      one.importance.assign(weight.importance.begin() + e * cols,
                            weight.importance.begin() + (e + 1) * cols);
      auto op = one.source.getDefiningOp<lm::WeightOp>();
      if (!op)
        return invalid(weight, "expert " + llvm::Twine(e) + " is no tensor of the checkpoint");
      if (llvm::Error error = pad(one))
        return error;
      if (llvm::Error error = addTensor(one, op))
        return error;
    }
    return llvm::Error::success();
  }

  llvm::Error addTensor(const PackedWeight &weight, lm::WeightOp op) {
    auto view = viewWeight(op, checkpoint);
    if (!view)
      return view.takeError();
    if (weight.format == WeightFormat::U32 || view->rows != weight.rows ||
        view->cols != weight.cols)
      return invalid(weight, llvm::Twine(weight.rows) + " rows of " + llvm::Twine(weight.cols) +
                                 " " + formatName(weight.format) + " cannot be packed from " +
                                 llvm::Twine(view->rows) + " rows of " + llvm::Twine(view->cols) +
                                 " of tensor '" + view->tensor->name + "'");
    if (llvm::Error error = checkImportance(weight))
      return error;
    std::vector<Piece> pieces = cutPieces(weight, kPieceBytes);
    size_t group = pool.getMaxConcurrency() * kPiecesPerThread;
    for (size_t first = 0; first < pieces.size(); first += group)
      if (llvm::Error error = addPieces(
              weight, *view,
              llvm::ArrayRef(pieces).slice(first, std::min(group, pieces.size() - first))))
        return error;
    checkpoint.drop(*view->tensor);
    return llvm::Error::success();
  }

  static llvm::Error checkImportance(const PackedWeight &weight) {
    if (!weight.importance.empty() && weight.importance.size() != size_t(weight.cols))
      return invalid(weight, llvm::Twine(weight.importance.size()) +
                                 " columns have an importance, the weight has " +
                                 llvm::Twine(weight.cols));
    for (size_t i = 0; i < weight.importance.size(); ++i)
      if (!(weight.importance[i] >= 0) || std::isinf(weight.importance[i]))
        return invalid(weight, "the importance of column " + llvm::Twine(i) +
                                   " is not a finite number from 0 on: calibrate again");
    return llvm::Error::success();
  }

  llvm::Error addPieces(const PackedWeight &weight, const WeightView &view,
                        llvm::ArrayRef<Piece> pieces) {
    std::vector<uint64_t> offsets(1, 0);
    for (const Piece &piece : pieces)
      offsets.push_back(offsets.back() +
                        uint64_t(piece.rows) * weightRowBytes(weight.format, piece.cols));
    buffer.resize(offsets.back());
    std::vector<UnfitPlace> unfit(pieces.size());
    auto pack = [&](size_t i) {
      uint8_t *to = buffer.data() + offsets[i];
      unfit[i] = isQuantized(weight.format)
                     ? packQuantized(view, weight, pieces[i], to)
                     : packPiece(view, weight.format, weight.layout, pieces[i], to);
    };
    if (pieces.size() == 1) {
      pack(0);
    } else {
      for (size_t i = 0; i < pieces.size(); ++i)
        pool.async(pack, i);
      pool.wait();
    }
    for (const UnfitPlace &place : unfit)
      if (place)
        return unfitElement(view, place->first, place->second, weight.format);
    return emit(buffer);
  }

  llvm::Error addConstant(const PackedWeight &weight) {
    auto row = constants.evaluate(weight.source);
    if (!row)
      return row.takeError();
    if (weight.rows != 1 || weight.cols != int64_t(row->size()) ||
        weight.format == WeightFormat::U32 || isQuantized(weight.format))
      return invalid(weight, llvm::Twine(weight.rows) + " rows of " + llvm::Twine(weight.cols) +
                                 " " + formatName(weight.format) +
                                 " cannot be packed from a constant row of " +
                                 llvm::Twine(row->size()));
    buffer.resize(weight.bytes);
    for (size_t i = 0; i < row->size(); ++i) {
      uint32_t bits = formats::asBits(float((*row)[i]));
      bool half = weight.format == WeightFormat::F16, brain = weight.format == WeightFormat::BF16;
      uint32_t limit = half    ? formats::kHalfLimit
                       : brain ? formats::kBrainLimit
                               : formats::kFloatLimit;
      if ((bits & 0x7fffffffu) >= limit)
        return invalid(weight, "element " + llvm::Twine(i) +
                                   " of the constant that is folded into it is beyond the range "
                                   "of " +
                                   formatName(weight.format) +
                                   ": check the checkpoint's biases for values out of range");
      if (half || brain)
        llvm::support::endian::write16le(buffer.data() + i * 2, half ? formats::narrowHalf(bits)
                                                                     : formats::narrowBrain(bits));
      else
        llvm::support::endian::write32le(buffer.data() + i * 4, bits);
    }
    return emit(buffer);
  }

  const Checkpoint &checkpoint;
  ConstantRows constants;
  llvm::DefaultThreadPool pool;
  uint64_t done = 0, total;
  WeightProgress progress;
  WeightSink sink;
  std::vector<uint8_t> buffer;
};
} // namespace

llvm::Error coppice::streamWeights(llvm::ArrayRef<PackedWeight> weights,
                                   const Checkpoint &checkpoint, unsigned threads,
                                   WeightProgress progress, WeightSink sink) {
  Stream stream(checkpoint, threads, segmentBytes(weights), progress, sink);
  for (const PackedWeight &weight : weights)
    if (llvm::Error error = stream.add(weight))
      return error;
  return llvm::Error::success();
}
