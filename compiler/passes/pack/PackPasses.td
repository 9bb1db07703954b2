// Passes from lm to stages with places in memory. docs/reference/pack-passes.md is made from this.
#ifndef COPPICE_PACK_PASSES
#define COPPICE_PACK_PASSES

include "mlir/Pass/PassBase.td"

def InlineBlocks : Pass<"lm-inline-blocks", "::mlir::ModuleOp"> {
  let summary = "Puts the bodies of lm.block in the place of the blocks";
  let description = [{
    A skipped block becomes its input. Each op of a body keeps its layer's number as the attribute
    `lm.layer`, which listings and the artifact's weight records use.

    ```mlir
    %1 = lm.block ffn layer 3 (%x = %0) : tensor<?x8xf32> {
      %2 = lm.linear %x, %w : ...
      %3 = lm.add %x, %2 : ...
      lm.yield %3 : tensor<?x8xf32>
    }
    ```
    becomes
    ```mlir
    %2 = lm.linear %0, %w {lm.layer = 3 : i32} : ...
    %3 = lm.add %0, %2 {lm.layer = 3 : i32} : ...
    ```
  }];
}

def LmToPack : Pass<"lm-to-pack", "::mlir::ModuleOp"> {
  let summary = "Turns the graph into a step of stages over packed weights";
  let description = [{
    The function becomes a `pack.step`. Values that no key or value of an attention depends on are
    computed only for the rows whose logits are wanted. A linear takes the residual that is added to
    its result, an activation the buffer that it is multiplied with. Matrices that a linear reads
    are packed in panels, in the format in which the checkpoint holds them; a tied embedding gathers
    from the panels. Constant rows are packed as float32. KV caches are in `kv` format. The map from
    query to KV heads is turned round: an attention loads a key or value once for all its query heads.
    A window as wide as the context hides nothing and is left out.
    An observed value is marked where it is observed (`pack.observe`), and is itself.

    ```mlir
    %1 = lm.linear %0, %w : tensor<?x8xf32>, tensor<8x8xf16> -> tensor<?x8xf32>
    %2 = lm.add %0, %1 : tensor<?x8xf32>, tensor<?x8xf32> -> tensor<?x8xf32>
    ```
    becomes
    ```mlir
    %p = pack.weight "o_proj" %w : tensor<8x8xf16> -> !pack.weight<8 by 8 by f16, panels>
    %2 = pack.linear %b0, %p residual %b0 : !pack.buffer<8, all> : ...
    ```
    Experts (`lm.moe`) become five kinds of stages: a choice for each row, the choices of all rows in
    the order of experts, the rows in that order, linears over weights that hold all experts' matrices,
    and the weighted sum for each row, which takes the residual. An expert is a gated FFN without
    biases, and those of a layer are equally wide; dead ones are masked in the scores.

    ```mlir
    %2 = lm.moe %0 scores %1 top_k 2 normalize : tensor<?x8xf32>, tensor<?x4xf32> -> tensor<?x8xf32> {...}, ...
    ```
    becomes
    ```mlir
    %c = pack.route %s normalize : !pack.buffer<4, all> -> !pack.choices<2 of 4, all>
    %g = pack.group %c : !pack.choices<2 of 4, all> -> !pack.groups<2 of 4, all>
    %r = pack.dispatch %x by %g : !pack.buffer<8, all>, !pack.groups<2 of 4, all> -> !pack.buffer<8, routed>
    %h = pack.expert_linear %r, %gates by %g : ...
    %u = pack.expert_linear %r, %ups by %g : ...
    %p = pack.activation silu %h times %u : ...
    %d = pack.expert_linear %p, %downs by %g : ...
    %2 = pack.combine %d, %c by %g : ...
    ```
    Blocks must be inlined before.
  }];
  let options = [Option<"kv", "kv", "std::string", "\"f32\"",
                        "format of KV caches: f32, bf16 or i8">,
                 Option<"context", "context", "int64_t", "0",
                        "positions of a session at most; 0: any number">];
  let dependentDialects = ["::coppice::pack::PackDialect"];
}

def ChooseFormats : Pass<"pack-choose-formats", "::mlir::ModuleOp"> {
  let summary = "Chooses the format of each matrix, and quantizes what quantized ones read";
  let description = [{
    `weights` is the value of `--weights`: a format (`stored`, `f32`, `f16`, `bf16`, `i8`, `i4`), then
    `head=`, `embed=` or patterns of tensor names for matrices that differ, the last one that fits
    counting. Unless something is said of them, embeddings and the head are `i8` beside `i4`, and a
    matrix that reads attention whose heads are no multiple of 32 wide is `f16` beside `i8`: groups
    that hold values of several heads lose the quiet ones. A matrix whose products choose experts
    stays as stored beside `i8` and `i4`. Matrices of a layer's experts have one format. A linear
    with a quantized weight reads a quantized form of its input, which is made once for all that read
    it. Constant rows stay float32. A pattern that fits no matrix is an error.

    With `weights=i4`:
    ```mlir
    %p = pack.weight "o_proj" %w : tensor<8x8xf16> -> !pack.weight<8 by 8 by f16, panels>
    %1 = pack.linear %0, %p : !pack.buffer<8, all>, !pack.weight<8 by 8 by f16, panels> -> ...
    ```
    becomes
    ```mlir
    %p = pack.weight "o_proj" %w : tensor<8x8xf16> -> !pack.weight<8 by 8 by i4, panels>
    %q = pack.quantize %0 : !pack.buffer<8, all> -> !pack.quantized<8 zero 8, all>
    %1 = pack.linear %q, %p : !pack.quantized<8 zero 8, all>, !pack.weight<8 by 8 by i4, panels> -> ...
    ```
  }];
  let options = [Option<"weights", "weights", "std::string", "\"stored\"",
                        "formats, as --weights takes them">];
  let dependentDialects = ["::coppice::pack::PackDialect"];
}

def FuseQuantize : Pass<"pack-fuse-quantize", "::mlir::ModuleOp"> {
  let summary = "Lets norms and activations write quantized rows";
  let description = [{
    Where a norm's or an activation's result is read by one `pack.quantize` and nothing else, the
    stage quantizes what it makes, group by group, and the plain rows are never written.

    ```mlir
    %1 = pack.norm rms %0 scale %s : ... : !pack.buffer<64, all> -> !pack.buffer<64, all>
    %2 = pack.quantize %1 : !pack.buffer<64, all> -> !pack.quantized<64 zero 8, all>
    ```
    becomes
    ```mlir
    %2 = pack.norm rms %0 scale %s : ... : !pack.buffer<64, all> -> !pack.quantized<64 zero 8, all>
    ```
  }];
}

def VerifyStep : Pass<"pack-verify-step", "::mlir::ModuleOp"> {
  let summary = "Checks that a module is one step that memory can be planned for";
  let description = [{
    Opens the phase memory: the module holds one `pack.step` and no function or block of the graph,
    and the logits come from a linear without residual that nothing else reads, since its kernel
    writes them for the caller. Changes nothing:

    ```mlir
    %2 = pack.linear %0, %w : ... -> !pack.buffer<16, logits>
    pack.return %2 : !pack.buffer<16, logits>
    ```
    is as it should be, before and after; `pack.return` of any other stage is an error.
  }];
}

def PlanMemory : Pass<"pack-plan-memory", "::mlir::ModuleOp"> {
  let summary = "Gives every buffer, cache and packed weight its place";
  let description = [{
    Buffers get arena offsets by liveness, first fit, a result lying on an operand where the
    stage allows it and the operand ends there. Caches lie one after the other, in bytes per
    position. Weights lie in the order of their first use, each at a multiple of 64 bytes; more of
    them than an artifact holds are an error. The logits have no place: the last linear writes them
    where the caller wants them. A buffer lives to its last `pack.observe`, if that is later than the
    last stage that reads it.

    A cache that an attention with a window reads is a ring, if that is shorter than the context:
    position p takes the place of p - R. R is the same for all rings, the widest window plus
    `largest-step`, rounded up to 64: a step that writes as many rows of a session leaves the first
    of them its window. Rings have offsets of their own, and the step says how many bytes per
    position and positions they take.

    ```mlir
    %1 = pack.norm rms %0 scale %s : ... -> !pack.buffer<64, all>
    ```
    becomes
    ```mlir
    %1 = pack.norm rms %0 scale %s : ... {place = 256 : i64} : ... -> !pack.buffer<64, all>
    ```
  }];
  let options = [Option<"context", "context", "int64_t", "0",
                        "positions of a session at most; 0: any number">,
                 Option<"largestStep", "largest-step", "int64_t", "512",
                        "rows of one session in a step, at most, where there are rings">];
}

def PlaceBarriers : Pass<"pack-place-barriers", "::mlir::ModuleOp"> {
  let summary = "Joins stages that need no barrier between them";
  let description = [{
    Threads that run a step meet at a barrier between two stages only where one of the two writes
    bytes that the other touches. A stage that conflicts with none since the last barrier is marked
    `pack.joined` and starts at once: the second and third of query, key and value, and the up
    projection beside the gate.

    ```mlir
    %q = pack.linear %n, %wq {place = 256 : i64} : ...
    %k = pack.linear %n, %wk {place = 512 : i64} : ...
    ```
    becomes
    ```mlir
    %q = pack.linear %n, %wq {place = 256 : i64} : ...
    %k = pack.linear %n, %wk {pack.joined, place = 512 : i64} : ...
    ```
  }];
}

def VerifySchedule : Pass<"pack-verify-schedule", "::mlir::ModuleOp"> {
  let summary = "Proves that no two threads of a step touch the same bytes unsafely";
  let description = [{
    Closes the phase memory. From places alone: every access lies inside the arena or the cache; no
    item of a stage reads what another item of it writes; and no two stages without a barrier between
    them touch the same bytes if one of them writes. Changes nothing:

    ```mlir
    %k = pack.linear %n, %wk {pack.joined, place = 512 : i64} : ...
    ```
    passes, before and after; the same with the place of `%n`, or of a buffer that a stage since the
    last barrier writes, is an error.
  }];
}

#endif // COPPICE_PACK_PASSES
