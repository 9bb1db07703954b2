// The passes that remove what masks and zeros mark. docs/reference/passes.md is made from this.
//
// A linear that reads a masked value drops those columns and reads a selection of the value;
// selections move up until they are row lists of weights. Everything else here opens, closes or
// cleans up after these two steps.
#ifndef COPPICE_PASSES
#define COPPICE_PASSES

include "mlir/Pass/PassBase.td"

// What a pass removed is said in a remark: MLIR's own statistics are compiled out of LLVM's release
// builds, such as Debian's.
class Report<string counts>
    : Option<"report", "report", "bool", "false", "Say in a remark what was removed: " # counts>;

def VerifyImported : Pass<"lm-verify-imported", "::mlir::ModuleOp"> {
  let summary = "Checks what import owes to plans and passes";
  let description = [{
    One function from tokens and positions to one row per token; `lm.model_type` and `lm.context`
    on the module; blocks in the order attention 0, ffn 0, attention 1, ...; in each the parts that
    a plan names: one `lm.attention` between its four linears, one activation (or gated product)
    between its linears, or experts, or nothing at all (a layer without heads or neurons); a block
    computes from its own residual, an ffn block also from its attention block's, where the two run
    side by side; nothing masked, selected or skipped; the matrix of every linear an `lm.weight`. Changes nothing. Structure only: no weight is looked at. Opens the phase mask;
    with `masked` it opens the phase shrink, and masks, dead experts and skipped blocks may stand.
  }];
  let options = [Option<"masked", "masked", "bool", "false",
                        "The graph may be masked already: what the phase mask hands on">];
}

def FindDead : Pass<"lm-find-dead", "::mlir::ModuleOp"> {
  let summary = "Masks heads and neurons that the checkpoint holds as exact zeros";
  let description = [{
    What another tool pruned by writing zeros is found by reading the weights once. Dead, masked
    with zero: a head whose columns of the output projection are all zero, or whose value rows are
    and have no bias; a neuron whose column of the down projection is all zero, or whose row before
    the activation is (in a gated FFN either row), without a bias. Constant, masked with its value:
    a head with zero value rows and a bias (attention over equal values gives that value), a neuron
    whose rows are zero and have a bias. A bias entry of exactly zero counts as none.

    With `@down` [8, 6] whose column 2 holds zeros, and row 4 of `@up` zeros
    ```mlir
    %1 = lm.linear %0, %up bias %b : ...
    %2 = lm.activation relu %1 : ...
    %3 = lm.linear %2, %down : ...
    ```
    becomes
    ```mlir
    %1 = lm.linear %0, %up bias %b : ...
    %2 = lm.activation relu %1 : ...
    %4 = lm.mask %2 dead <2> : tensor<?x6xf32>
    %5 = lm.select %b cols <4> : ...
    %6 = lm.activation relu %5 : ...
    %7 = lm.mask %4 dead <4> fill %6 : tensor<?x6xf32>, tensor<1xf32>
    %3 = lm.linear %7, %down : ...
    ```

    Restrictions: zero query or key rows mean uniform attention, which is alive. Zero means every
    bit but the sign clear. Experts are not looked into: one whose weights are zero is picked all
    the same, in the place of another, and is alive. Blocks marked `skip` are left alone. Where a
    plan masks the same column, the plan's mask decides.
  }];
  let options = [
    Option<"checkpoint", "checkpoint", "std::string", "",
           "The checkpoint's directory, the one that was imported">,
    Report<"heads and neurons found dead or constant">
  ];
}

def ObserveInputs : Pass<"lm-observe-inputs", "::mlir::ModuleOp"> {
  let summary = "Marks what every linear reads, for calibration";
  let description = [{
    The input of every linear over token rows goes through an `lm.observe` with the name of the
    linear's tensor. An input that is observed under that name stays as it is, and so do linears over
    constant rows. Who runs the step then sees, tensor by tensor, what the weights are multiplied
    with.

    ```mlir
    %w = lm.weight @"fc1.weight" : tensor<6x4xf32>
    %1 = lm.linear %0, %w : ...
    ```
    becomes
    ```mlir
    %w = lm.weight @"fc1.weight" : tensor<6x4xf32>
    %2 = lm.observe "fc1.weight" %0 : tensor<?x4xf32>
    %1 = lm.linear %2, %w : ...
    ```

    Restrictions: the matrix must be an `lm.weight` without a list of columns, so that a column's
    number is the checkpoint's. Masks may stand: a masked column is seen as the zeros that it is.
  }];
}

def RemoveSkippedBlocks : Pass<"lm-remove-skipped-blocks", "::mlir::ModuleOp"> {
  let summary = "Replaces a skipped block by its input";
  let description = [{
    ```mlir
    %1 = lm.block ffn layer 0 skip (%x = %0) : tensor<?x8xf32> { ... }
    %2 = lm.block attention layer 1 (%x = %1) : tensor<?x8xf32> { ... }
    ```
    becomes
    ```mlir
    %2 = lm.block attention layer 1 (%x = %0) : tensor<?x8xf32> { ... }
    ```
    A block's norms are inside it, the norm after the residual too, and go with it.
  }];
  let options = [Report<"blocks, and bytes of weights read in them">];
}

def MasksToSelections : Pass<"lm-masks-to-selections", "::mlir::ModuleOp"> {
  let summary = "Linears drop masked columns and read selections";
  let description = [{
    ```mlir
    %m = lm.mask %x dead <1> fill %c : tensor<?x3xf32>, tensor<1xf32>
    %w = lm.weight @w : tensor<4x3xf32>
    %y = lm.linear %m, %w bias %b : ...
    ```
    becomes
    ```mlir
    %s = lm.select %x cols <0, 2> : tensor<?x3xf32> -> tensor<?x2xf32>
    %v = lm.weight @w cols <0, 2> : tensor<4x2xf32>
    %u = lm.weight @w cols <1> : tensor<4x1xf32>
    %d = lm.linear %c, %u bias %b : tensor<1xf32>, tensor<4x1xf32>, ... -> tensor<4xf32>
    %y = lm.linear %s, %v bias %d : ...
    ```
    Without a fill the bias stays as it is. Of masks in a chain the one nearest to the linear
    decides. A mask below an activation is first moved above it: every activation is zero at zero,
    and a fill goes through the activation.

    Restrictions: the linear's matrix is an `lm.weight`, for it must have columns to drop. A mask
    that anything else reads stays for that reader, and lm-verify-unmasked names it. Masks do not
    move across products (zero times infinity is not zero) nor across `lm.observe`.
  }];
  let options = [Report<"heads, neurons, and bytes of columns of weights">];
}

def PropagateSelections : Pass<"lm-propagate-selections", "::mlir::ModuleOp"> {
  let summary = "Selections move up into the rows of weights";
  let description = [{
    A selection of a sum, product, activation or mask is that op on selections; of whole heads of
    `lm.rope` or `lm.attention` it is that op on fewer heads (of attention only the query is
    selected, and `kv_map` with it); of a linear it is a linear with fewer rows; of a vector of the
    checkpoint a shorter list of rows.

    ```mlir
    %w = lm.weight @up : tensor<6x8xf32>
    %1 = lm.linear %0, %w : ... -> tensor<?x6xf32>
    %2 = lm.activation relu %1 : ...
    %3 = lm.select %2 cols <0, 4> : tensor<?x6xf32> -> tensor<?x2xf32>
    ```
    becomes
    ```mlir
    %w = lm.weight @up rows <0, 4> : tensor<2x8xf32>
    %1 = lm.linear %0, %w : ... -> tensor<?x2xf32>
    %3 = lm.activation relu %1 : ...
    ```

    Restrictions: an op that computes token rows moves only if selections alone read it and keep no
    more than it computes: a part beside the whole is no gain. Heads move whole, since their columns
    are computed together. Nothing moves across `lm.observe`, a norm or the edge of a block.
  }];
  let options = [Report<"rows of linears, and their bytes">];
}

def RemoveDeadKvHeads : Pass<"lm-remove-dead-kv-heads", "::mlir::ModuleOp"> {
  let summary = "KV heads that no query head reads leave the attention";
  let description = [{
    Key and value are selected and `kv_map` is renumbered; lm-propagate-selections, run after, moves
    the selections into the key and value projections, and the cache has the width that is left.

    ```mlir
    %1 = lm.attention %q, %k, %v head_dim 2 kv_map [0, 2] scale 1.0 :
         tensor<?x4xf32>, tensor<?x6xf32>, tensor<?x6xf32> -> tensor<?x4xf32>
    ```
    becomes
    ```mlir
    %2 = lm.select %k cols <0, 1, 4, 5> : tensor<?x6xf32> -> tensor<?x4xf32>
    %3 = lm.select %v cols <0, 1, 4, 5> : tensor<?x6xf32> -> tensor<?x4xf32>
    %1 = lm.attention %q, %2, %3 head_dim 2 kv_map [0, 1] scale 1.0 : ...
    ```

    Restrictions: key and value are read by this attention alone; otherwise all of them is needed
    anyway, and the attention stays as it is, which is right, only wider.
  }];
  let options = [Report<"KV heads">];
}

def RemoveDeadExperts : Pass<"lm-remove-dead-experts", "::mlir::ModuleOp"> {
  let summary = "Dead experts leave their layer";
  let description = [{
    Their regions go, and the scores are selected; lm-propagate-selections, run after, moves the
    selection into the router's rows. The order of those that stay is the same, and with it which of
    equal scores is chosen.

    ```mlir
    %1 = lm.moe %0 scores %s top_k 1 dead <1> : tensor<?x8xf32>, tensor<?x3xf32> -> tensor<?x8xf32>
        {expert 0}, {expert 1}, {expert 2}
    ```
    becomes
    ```mlir
    %2 = lm.select %s cols <0, 2> : tensor<?x3xf32> -> tensor<?x2xf32>
    %1 = lm.moe %0 scores %2 top_k 1 : tensor<?x8xf32>, tensor<?x2xf32> -> tensor<?x8xf32>
        {expert 0}, {expert 2}
    ```

    Restrictions: neurons of experts are not masked by plans, and stay. Where something else reads
    the scores too, the selection stays, and lm-verify-unmasked names it.
  }];
  let options = [Report<"experts, and bytes of their weights">];
}

def FoldConstants : Pass<"lm-fold-constants", "::mlir::ModuleOp"> {
  let summary = "Linears without columns, and constants on the residual, go into biases";
  let description = [{
    A linear without columns is its bias: added to something, it is an addition of a constant row,
    and nothing at all without a bias; so is a norm of it. A constant row that is added goes into the bias of the
    linear, or the constant, that was added before it, through sums and block edges, if nothing
    reads the value between. A block that yields its argument is its input.

    ```mlir
    %1 = lm.block ffn layer 0 (%x = %0) : tensor<?x8xf32> {
      ...
      %4 = lm.linear %3, %w bias %b : ...
      %5 = lm.add %x, %4 : ...
      lm.yield %5 : tensor<?x8xf32>
    }
    %2 = lm.block attention layer 1 (%x = %1) : tensor<?x8xf32> {
      %4 = lm.add %x, %c : tensor<?x8xf32>, tensor<8xf32> -> tensor<?x8xf32>
      lm.yield %4 : tensor<?x8xf32>
    }
    ```
    becomes
    ```mlir
    %1 = lm.block ffn layer 0 (%x = %0) : tensor<?x8xf32> {
      ...
      %d = lm.add %b, %c : tensor<8xf32>, tensor<8xf32> -> tensor<8xf32>
      %4 = lm.linear %3, %w bias %d : ...
      %5 = lm.add %x, %4 : ...
      lm.yield %5 : tensor<?x8xf32>
    }
    ```
    Ops that nothing reads are erased: what was computed for a dead branch, its norm included, is no
    reader.

    Restrictions: a constant does not pass a norm, so that in a post-norm model it stays one
    addition; nor does it reach an embedding, which has no bias. Skipped blocks are left alone.
  }];
  let options = [Report<"constants moved into a bias before them, and blocks that had become their input">];
}

def VerifyUnmasked : Pass<"lm-verify-unmasked", "::mlir::ModuleOp"> {
  let summary = "Checks that nothing masked is left";
  let description = [{
    An error for every `lm.mask`, skipped block, list of dead experts, and selection of token rows;
    a note names what is likely in the way. Selections of constant rows may stay: the compiler
    evaluates them. Changes nothing.
  }];
}

#endif // COPPICE_PASSES
