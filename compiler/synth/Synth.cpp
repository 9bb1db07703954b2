// See Synth.h. The weights are streamed into a file beside the folder's place; only when it is
// whole are the folder and its config made, under a temporary name, and renamed.
#include "compiler/synth/Synth.h"
#include "compiler/artifact/OutputFile.h"
#include "compiler/import/Files.h"
#include "compiler/import/Import.h"
#include "compiler/import/Safetensors.h"
#include "compiler/synth/Shapes.h"
#include "dialects/lm/LM.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/CheckedArithmetic.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

namespace fs = llvm::sys::fs;
namespace paths = llvm::sys::path;

namespace coppice {
namespace {

/// Numbers whose products with activations of size 1 have size 1 again; elsewhere what models are
/// commonly initialised with. Norms scale by about 1. None is exactly alike: a constant row or a
/// zero bias could be folded away, and that would be another model to measure.
Normal normalFor(lm::TensorOp tensor, llvm::ArrayRef<lm::WeightOp> readers) {
  constexpr float kCommon = 0.02f;
  auto type = llvm::cast<mlir::RankedTensorType>(tensor.getType());
  for (lm::WeightOp reader : readers)
    for (mlir::OpOperand &use : reader->getUses()) {
      mlir::Operation *user = use.getOwner();
      if (type.getRank() == 2 && llvm::isa<lm::LinearOp>(user))
        return {0, 1 / std::sqrt(float(type.getDimSize(1)))};
      bool scales = llvm::isa<lm::RmsNormOp, lm::LayerNormOp>(user) && use.getOperandNumber() == 1;
      if (type.getRank() == 1 && scales)
        return {1, kCommon};
    }
  return {0, kCommon};
}

llvm::Error cannotWrite(llvm::StringRef path, const llvm::Twine &why) {
  return llvm::createStringError("cannot write '" + path + "': " + why);
}

/// The text of a shape, and the name that errors give it.
struct Config {
  std::string path, text;
};

llvm::Expected<Config> readShape(const SynthOptions &options) {
  if (std::optional<llvm::StringRef> text = namedShape(options.shape)) {
    // Says how the weights are stored, to programs that go by it.
    llvm::StringRef type = options.dtype == DType::F32   ? "float32"
                           : options.dtype == DType::F16 ? "float16"
                                                         : "bfloat16";
    return Config{options.shape,
                  "{\n  \"torch_dtype\": \"" + type.str() + "\"," + text->drop_front().str()};
  }
  if (!fileExists(options.shape))
    return llvm::createStringError("there is no shape '" + options.shape +
                                   "', and no file of that name; the shapes are " + namedShapes() +
                                   ", or the path of a config.json");
  constexpr uint64_t limit = 1 << 20; // configs have some KB
  llvm::Expected<std::string> text = readTextFile(options.shape, limit);
  if (!text)
    return text.takeError();
  return Config{options.shape, std::move(*text)};
}

uint64_t elements(const SynthTensor &tensor) {
  uint64_t product = 1;
  for (int64_t extent : tensor.shape)
    product *= uint64_t(extent); // sizes are int32, and there are two at most
  return product;
}

/// The header of a safetensors file, its length before it; `end` receives the bytes of data after
/// it.
llvm::Expected<std::string> header(llvm::ArrayRef<SynthTensor> tensors, DType type,
                                   llvm::StringRef config, uint64_t &end) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  llvm::json::OStream json(stream);
  end = 0;
  bool fits = true;
  json.object([&] {
    json.attributeObject("__metadata__", [&] { json.attribute("format", "pt"); });
    for (const SynthTensor &tensor : tensors)
      json.attributeObject(tensor.name, [&] {
        json.attribute("dtype", dtypeName(type));
        json.attribute("shape", llvm::json::Array(tensor.shape));
        auto next = llvm::checkedMulAddUnsigned<uint64_t>(elements(tensor), dtypeBytes(type), end);
        fits &= next && *next <= uint64_t(INT64_MAX);
        json.attribute("data_offsets",
                       llvm::json::Array{int64_t(end), next ? int64_t(*next) : int64_t(0)});
        end = next.value_or(0);
      });
  });
  stream.flush();
  text.append((8 - text.size() % 8) % 8, ' ');
  if (!fits || text.size() > maxSafetensorsHeader)
    return llvm::createStringError(config + ": a model of this shape does not fit one safetensors "
                                            "file; give it fewer or smaller layers");
  char length[8];
  llvm::support::endian::write64le(length, text.size());
  return std::string(length, 8) + text;
}

llvm::Error checkPlace(llvm::StringRef path, uint64_t bytes) {
  fs::file_status status;
  if (!fs::status(path, status, /*follow=*/false))
    return cannotWrite(path, "something of that name is there already; remove it, or name another "
                             "folder");
  llvm::StringRef parent = paths::parent_path(path);
  llvm::ErrorOr<fs::space_info> space = fs::disk_space(parent.empty() ? "." : parent);
  // Without an answer the writes will tell.
  if (space && space->available < bytes)
    return cannotWrite(path, llvm::Twine(bytes) + " bytes are needed and " +
                                 llvm::Twine(space->available) +
                                 " are free there; free space, or write elsewhere");
  return llvm::Error::success();
}

llvm::Error writeWeights(OutputFile &file, llvm::ArrayRef<SynthTensor> tensors,
                         const SynthOptions &options, uint64_t at, uint64_t size) {
  constexpr size_t kChunk = 4 << 20;
  std::vector<uint8_t> chunk(kChunk);
  for (const SynthTensor &tensor : tensors) {
    RandomWeights random(options.seed, tensor.name);
    uint64_t bytes = elements(tensor) * dtypeBytes(options.dtype);
    for (uint64_t done = 0; done < bytes;) {
      size_t now = size_t(std::min<uint64_t>(kChunk, bytes - done));
      llvm::MutableArrayRef<uint8_t> part(chunk.data(), now);
      random.fill(tensor.normal, options.dtype, done / dtypeBytes(options.dtype), part);
      if (llvm::Error error = file.write(part, at))
        return error;
      done += now;
      at += now;
      if (options.progress)
        options.progress(double(at) / double(size));
    }
  }
  return llvm::Error::success();
}

/// Makes the folder of the finished file and the config.
llvm::Error placeFolder(llvm::StringRef path, OutputFile &weights, llvm::StringRef config) {
  llvm::SmallString<128> folder;
  std::error_code error;
  for (int attempt = 0; attempt < 100; ++attempt) {
    fs::createUniquePath(path + ".tmp-%%%%%%%%", folder, /*MakeAbsolute=*/false);
    error = fs::create_directory(folder, /*IgnoreExisting=*/false,
                                 fs::all_read | fs::all_write | fs::all_exe);
    if (error != std::errc::file_exists)
      break;
  }
  if (error)
    return cannotWrite(path, error.message());
  auto remove = llvm::make_scope_exit([&] { (void)fs::remove_directories(folder); });
  llvm::Expected<std::unique_ptr<OutputFile>> file =
      OutputFile::create(joinPath(folder, "config.json"));
  if (!file)
    return file.takeError();
  if (llvm::Error error =
          (*file)->write({reinterpret_cast<const uint8_t *>(config.data()), config.size()}, 0))
    return error;
  if (llvm::Error error = (*file)->commit())
    return error;
  if (llvm::Error error = weights.commitAs(joinPath(folder, "model.safetensors")))
    return error;
  if ((error = fs::rename(folder, path)))
    return cannotWrite(path, error.message());
  remove.release();
  return llvm::Error::success();
}

} // namespace

llvm::Expected<std::vector<SynthTensor>> describeShape(llvm::StringRef path,
                                                       llvm::StringRef config) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  llvm::Expected<ImportedModel> model = importShape(path, config, context);
  if (!model)
    return model.takeError();
  llvm::StringMap<llvm::SmallVector<lm::WeightOp, 2>> readers;
  model->module->walk([&](lm::WeightOp weight) { readers[weight.getTensor()].push_back(weight); });
  std::vector<SynthTensor> tensors;
  for (auto tensor : model->module->getOps<lm::TensorOp>()) {
    auto type = llvm::cast<mlir::RankedTensorType>(tensor.getType());
    tensors.push_back({tensor.getSymName().str(), llvm::SmallVector<int64_t, 2>(type.getShape()),
                       normalFor(tensor, readers[tensor.getSymName()])});
  }
  return tensors;
}

llvm::Expected<SynthResult> synthesize(const SynthOptions &options) {
  llvm::StringRef path = llvm::StringRef(options.output).rtrim('/');
  if (path.empty())
    return cannotWrite(options.output, "it is no name of a folder that could be made");
  llvm::Expected<Config> config = readShape(options);
  if (!config)
    return config.takeError();
  auto tensors = describeShape(config->path, config->text);
  if (!tensors)
    return tensors.takeError();
  uint64_t data = 0;
  llvm::Expected<std::string> head = header(*tensors, options.dtype, config->path, data);
  if (!head)
    return head.takeError();
  uint64_t size = head->size() + data;
  if (llvm::Error error = checkPlace(path, size))
    return std::move(error);

  llvm::Expected<std::unique_ptr<OutputFile>> file = OutputFile::create(path);
  if (!file)
    return file.takeError();
  if (llvm::Error error =
          (*file)->write({reinterpret_cast<const uint8_t *>(head->data()), head->size()}, 0))
    return std::move(error);
  if (llvm::Error error = writeWeights(**file, *tensors, options, head->size(), size))
    return std::move(error);
  if (llvm::Error error = placeFolder(path, **file, config->text))
    return std::move(error);
  return SynthResult{data / dtypeBytes(options.dtype), size};
}

} // namespace coppice
