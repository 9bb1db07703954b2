// What the sanitizers are told, in every target.

// LLVM's and MLIR's shared libraries are not instrumented: an allocator that they and inlined code
// of ours both use would be poisoned by one and not cleared by the other. Big allocations return
// null, as they do where memory is short; that path must hold too.
// NOLINTNEXTLINE(bugprone-reserved-identifier)
extern "C" const char *__asan_default_options() {
  return "allow_user_poisoning=0:detect_container_overflow=0:allocator_may_return_null=1:"
         "max_allocation_size_mb=1024";
}
