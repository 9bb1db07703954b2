// dot4 and scf -> cf -> LLVM dialect -> LLVM IR -> optimised -> object. The same input gives the
// same bytes: one thread, no debug information, no identification of the producer.
#include "compiler/codegen/Lowering.h"
#include "compiler/codegen/KernelPasses.h"
#include "dialects/pack/Pack.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/Vector/Transforms/LoweringPatterns.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/DialectConversion.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

using namespace coppice;

namespace {
/// What remains after scf is gone: vector, arith and cf, all at once.
struct LowerToLLVM : mlir::PassWrapper<LowerToLLVM, mlir::OperationPass<mlir::ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(LowerToLLVM)

  void runOnOperation() override {
    mlir::MLIRContext *context = &getContext();
    mlir::LLVMTypeConverter converter(context);
    mlir::RewritePatternSet patterns(context);
    mlir::populateVectorToLLVMConversionPatterns(converter, patterns);
    mlir::vector::populateVectorBroadcastLoweringPatterns(patterns);
    mlir::arith::populateArithToLLVMConversionPatterns(converter, patterns);
    mlir::cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
    mlir::LLVMConversionTarget target(*context);
    target.addLegalOp<mlir::ModuleOp>();
    if (failed(applyFullConversion(getOperation(), target, std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace

void coppice::registerKernelDialects(mlir::DialectRegistry &registry) {
  registry.insert<mlir::arith::ArithDialect, mlir::cf::ControlFlowDialect, mlir::LLVM::LLVMDialect,
                  mlir::scf::SCFDialect, mlir::vector::VectorDialect, pack::PackDialect>();
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
}

static llvm::Expected<std::unique_ptr<llvm::TargetMachine>> targetMachine(const Target &target) {
  static const bool initialised = [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    return true;
  }();
  (void)initialised;
  std::string why;
  const llvm::Target *found = llvm::TargetRegistry::lookupTarget(target.triple, why);
  if (!found)
    return llvm::createStringError("internal error: LLVM has no target %s: %s",
                                   target.triple.c_str(), why.c_str());
  llvm::TargetOptions options;
  return std::unique_ptr<llvm::TargetMachine>(found->createTargetMachine(
      target.triple, target.cpu, target.extras, options, llvm::Reloc::PIC_, llvm::CodeModel::Small,
      llvm::CodeGenOptLevel::Default));
}

static void setAttributes(llvm::Module &module, const Target &target) {
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.setVisibility(llvm::GlobalValue::HiddenVisibility);
    function.setDSOLocal(true);
    function.addFnAttr("target-cpu", target.cpu);
    if (!target.extras.empty())
      function.addFnAttr("target-features", target.extras);
    function.addFnAttr("prefer-vector-width", llvm::utostr(target.vectorBits));
    function.addFnAttr("min-legal-vector-width", llvm::utostr(target.vectorBits));
    function.addFnAttr("no-builtins"); // no loop becomes a call of memcpy or memset
    function.addFnAttr(llvm::Attribute::NoUnwind);
  }
}

/// Loops are unrolled and vectorised where kernels are built; doing it again to their tails would
/// only add code.
static void optimise(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::PipelineTuningOptions tuning;
  tuning.LoopUnrolling = false;
  tuning.LoopInterleaving = false;
  tuning.LoopVectorization = false;
  tuning.SLPVectorization = false;
  llvm::PassBuilder builder(&machine, tuning);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(module, modules);
}

llvm::Expected<llvm::SmallVector<char, 0>>
coppice::lowerModule(mlir::ModuleOp module, const Target &target, CodeForm form) {
  mlir::PassManager passes(module.getContext());
  passes.addPass(createLowerDot4({target.name}));
  passes.addPass(mlir::createConvertSCFToCFPass());
  passes.addPass(std::make_unique<LowerToLLVM>());
  if (failed(passes.run(module)))
    return llvm::createStringError("internal error: a kernel could not be lowered to LLVM");
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> code =
      mlir::translateModuleToLLVMIR(module, context, "coppice-kernels");
  if (!code)
    return llvm::createStringError("internal error: a kernel could not be translated to LLVM IR");
  auto machine = targetMachine(target);
  if (!machine)
    return machine.takeError();
  code->setTargetTriple(target.triple);
  code->setDataLayout((*machine)->createDataLayout());
  setAttributes(*code, target);
  optimise(*code, **machine);

  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  if (form == CodeForm::LLVM) {
    code->print(stream, nullptr);
    return bytes;
  }
  llvm::legacy::PassManager emission;
  auto type = form == CodeForm::Assembly ? llvm::CodeGenFileType::AssemblyFile
                                         : llvm::CodeGenFileType::ObjectFile;
  if ((*machine)->addPassesToEmitFile(emission, stream, nullptr, type))
    return llvm::createStringError("internal error: LLVM cannot write code for %s",
                                   target.name.c_str());
  emission.run(*code);
  return bytes;
}
