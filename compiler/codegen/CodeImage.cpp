// Emits kernels and lays their object out flat: code first, then constants.
//
// The linking is done here and not by a linker: an object of hidden position-independent kernels
// refers only to its own constants, by two kinds of relocation, so that "no imports and no
// relocations left" is the natural outcome and not a property to be checked in a linker's output.
#include "compiler/codegen/CodeImage.h"
#include "compiler/codegen/KernelBuilder.h"
#include "compiler/codegen/KernelRegistry.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"
#include <set>

using namespace coppice;
using namespace llvm::object;

namespace {
class ImageLinker {
public:
  explicit ImageLinker(const ELF64LEObjectFile &object) : object(object) {}
  llvm::Expected<CodeImage> link();

private:
  llvm::Error place();
  llvm::Error resolve(const ELFSectionRef &relocations);
  llvm::Error resolve(const RelocationRef &relocation, uint64_t sectionOffset);
  llvm::Error nameKernels();

  const ELF64LEObjectFile &object;
  CodeImage image;
  llvm::DenseMap<uint64_t, uint64_t> placed; // section index -> offset in the image
};

/// Copies the sections that belong to the program, code before data.
llvm::Error ImageLinker::place() {
  for (bool code : {true, false}) {
    for (ELFSectionRef section : object.sections()) {
      uint64_t flags = section.getFlags();
      if (!(flags & llvm::ELF::SHF_ALLOC) || section.getSize() == 0 ||
          bool(flags & llvm::ELF::SHF_EXECINSTR) != code)
        continue;
      llvm::Expected<llvm::StringRef> name = section.getName();
      if (!name)
        return name.takeError();
      if ((flags & llvm::ELF::SHF_WRITE) || section.isBSS())
        return llvm::createStringError("internal error: generated code has writable data in "
                                       "section %s",
                                       name->str().c_str());
      llvm::Expected<llvm::StringRef> contents = section.getContents();
      if (!contents)
        return contents.takeError();
      // Code between functions is never run; 0xcc traps if it ever is.
      image.bytes.resize(llvm::alignTo(image.bytes.size(), section.getAlignment().value()),
                         code ? 0xcc : 0);
      placed[section.getIndex()] = image.bytes.size();
      image.bytes.insert(image.bytes.end(), contents->bytes_begin(), contents->bytes_end());
    }
  }
  return llvm::Error::success();
}

llvm::Error ImageLinker::resolve(const RelocationRef &relocation, uint64_t sectionOffset) {
  auto symbol = ELFSymbolRef(*relocation.getSymbol());
  llvm::Expected<llvm::StringRef> name = symbol.getName();
  if (!name)
    return name.takeError();
  llvm::Expected<section_iterator> section = symbol.getSection();
  if (!section)
    return section.takeError();
  if (*section == object.section_end())
    return llvm::createStringError("internal error: generated code refers to \"%s\", which is not "
                                   "part of it; a kernel must expand it",
                                   name->str().c_str());
  uint64_t type = relocation.getType();
  auto target = placed.find((*section)->getIndex());
  if ((type != llvm::ELF::R_X86_64_PC32 && type != llvm::ELF::R_X86_64_PLT32) ||
      target == placed.end()) {
    llvm::SmallString<32> typeName;
    relocation.getTypeName(typeName);
    return llvm::createStringError("internal error: generated code needs the relocation %s "
                                   "against \"%s\", which a flat image cannot hold",
                                   typeName.c_str(), name->str().c_str());
  }
  llvm::Expected<int64_t> addend = ELFRelocationRef(relocation).getAddend();
  if (!addend)
    return addend.takeError();
  llvm::Expected<uint64_t> value = symbol.getValue();
  if (!value)
    return value.takeError();
  uint64_t place = sectionOffset + relocation.getOffset();
  int64_t distance = int64_t(target->second + *value) + *addend - int64_t(place);
  if (!llvm::isInt<32>(distance) || place + 4 > image.bytes.size())
    return llvm::createStringError("internal error: a reference to \"%s\" does not fit its place",
                                   name->str().c_str());
  llvm::support::endian::write32le(&image.bytes[place], uint32_t(distance));
  return llvm::Error::success();
}

llvm::Error ImageLinker::resolve(const ELFSectionRef &relocations) {
  llvm::Expected<section_iterator> section = relocations.getRelocatedSection();
  if (!section)
    return section.takeError();
  if (*section == object.section_end())
    return llvm::Error::success();
  auto found = placed.find((*section)->getIndex());
  if (found == placed.end())
    return llvm::Error::success(); // of a section that is left out
  for (RelocationRef relocation : relocations.relocations())
    if (llvm::Error error = resolve(relocation, found->second))
      return error;
  return llvm::Error::success();
}

llvm::Error ImageLinker::nameKernels() {
  for (ELFSymbolRef symbol : object.symbols()) {
    llvm::Expected<llvm::StringRef> name = symbol.getName();
    if (!name)
      return name.takeError();
    if (symbol.getELFType() != llvm::ELF::STT_FUNC || !name->consume_front(kSymbolPrefix))
      continue;
    llvm::Expected<section_iterator> section = symbol.getSection();
    if (!section)
      return section.takeError();
    llvm::Expected<uint64_t> value = symbol.getValue();
    if (!value)
      return value.takeError();
    uint64_t offset = placed.lookup((*section)->getIndex()) + *value;
    image.kernels.push_back({name->str(), uint32_t(offset)});
  }
  llvm::sort(image.kernels,
             [](const KernelSymbol &a, const KernelSymbol &b) { return a.name < b.name; });
  return llvm::Error::success();
}

llvm::Expected<CodeImage> ImageLinker::link() {
  if (llvm::Error error = place())
    return error;
  for (ELFSectionRef section : object.sections())
    if (llvm::Error error = resolve(section))
      return error;
  if (llvm::Error error = nameKernels())
    return error;
  return std::move(image);
}
} // namespace

llvm::Expected<CodeImage> coppice::linkImage(llvm::ArrayRef<char> object) {
  llvm::MemoryBufferRef buffer(llvm::StringRef(object.data(), object.size()), "kernels");
  auto parsed = ObjectFile::createELFObjectFile(buffer);
  if (!parsed)
    return parsed.takeError();
  auto *elf = llvm::dyn_cast<ELF64LEObjectFile>(parsed->get());
  if (!elf || elf->getArch() != llvm::Triple::x86_64)
    return llvm::createStringError("internal error: generated code is not an x86-64 object");
  return ImageLinker(*elf).link();
}

static llvm::Expected<llvm::SmallVector<char, 0>> generate(llvm::ArrayRef<std::string> names,
                                                           const Target &target, CodeForm form) {
  mlir::DialectRegistry registry;
  registerKernelDialects(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  mlir::OwningOpRef<mlir::ModuleOp> module =
      mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
  std::set<std::string> sorted(names.begin(), names.end());
  for (const std::string &name : sorted)
    if (llvm::Error error = buildKernel(*module, name, target))
      return error;
  return lowerModule(*module, target, form);
}

llvm::Expected<CodeImage> coppice::generateCode(llvm::ArrayRef<std::string> kernelNames,
                                                const Target &target) {
  auto object = generate(kernelNames, target, CodeForm::Object);
  if (!object)
    return object.takeError();
  return linkImage(*object);
}

llvm::Expected<std::string> coppice::generateText(llvm::ArrayRef<std::string> kernelNames,
                                                  const Target &target, CodeForm form) {
  auto text = generate(kernelNames, target, form);
  if (!text)
    return text.takeError();
  return std::string(text->begin(), text->end());
}
