// The argument words of every kernel: one definition for the kernel builders, which read them, and
// for the stage list, which writes them. Purely a schema: enumerators are word indices.
//
// Units. "buf" is an arena offset in 64 bytes per row, as kernel_abi.h says; rows of a buffer of
// width w are roundUp(w, 16) floats apart (the kernels compute it from the width). "weight" is an
// offset into the weight segment in 64 bytes. "set" is a row set, COPPICE_ROWS_ALL or others.
// Floats are bit-cast. kNone in a buf or weight word means "absent". Items per stage are in
// brackets.
#pragma once
#include <cstdint>

namespace coppice::args {

constexpr uint32_t kNone = 0xffffffffu;

// Output rows of a weight panel. A matrix [N, K] in panel layout is N/32 panels of 32 output rows,
// then, for the N % 32 rows left, panels of 16, 8, 4, 2 and 1 rows as its binary digits say; each
// panel is [K][rows] elements and they lie one after the other without padding.
constexpr uint32_t kPanelRows = 32;

// Quantized weights (i8, i4) in groups of kGroup columns, the last one perhaps shorter. A panel is
// [groups], a group is words [ceil(columns / pack)][rows of the panel] of 32 bits, then [rows] f16
// scales; row layout is the same with panels of one row. i8: pack 4, byte b of word j is
// code[4j+b] + 128. i4: pack 8, byte b of word j holds code[8j+b] + 8 in its low and
// code[8j+4+b] + 8 in its high half. Codes are within -127..127 and -8..7; columns that do not
// exist have code 0. A weight is code * scale.
constexpr uint32_t kGroup = 32;

// Quantized activations for zero point z, `width` values a row: ceil(width / 32) groups of
// kQuantizedGroup bytes, each 32 signed codes (0 beyond the width), scale (f32), start = -z * sum
// of the codes (i32). Rows lie roundUp(40 * groups, 64) bytes apart.
constexpr uint32_t kQuantizedGroup = 40;

// out[r] = table[id(r) + offset]; id is the row's token, or its position.      [rows]
// embed_rows_{f32,f16,bf16,i8,i4}: table [vocab][width]; embed_panel_*: the panel layout, K =
// width. An id outside [0, extent - offset) is never passed: the runtime checks tokens and
// positions.
struct Embed {
  enum : uint32_t { set, out, table, extent, width, offset, usePosition, count };
};
// layer_norm, rms_norm: scale and bias are f32, kNone if absent (rms_norm: no bias). [rows]
// layer_norm_quantize, rms_norm_quantize: out is quantized for zero point `zero`, else unused.
struct Norm {
  enum : uint32_t { set, in, out, scale, bias, width, eps, zero, count };
};
// head_norm: rms_norm of each head alone, all by one scale [headDim]; out may equal in. [rows *
// heads]
struct HeadNorm {
  enum : uint32_t { set, in, out, scale, heads, headDim, eps, count };
};
// quantize: out = in, quantized for zero point `zero`.                         [rows]
struct Quantize {
  enum : uint32_t { set, in, out, width, zero, count };
};
// linear_{f32,f16,bf16,i8,i4}: out = in x W^T (+ bias) (+ residual).           [panels]
// i8 and i4: in is quantized for zero point 128 or 8; groups are summed in rising order, each
// fma(float(dot of the codes), scale of the activations * scale of the weights, sum). bf16 on
// targets with bf16Dots: in is rounded to bf16, to nearest even, and columns are summed in pairs,
// as vdpbf16ps does; their bits are that target's own, where all other kernels' are all targets'.
// out == kNone writes frame.logits, rows `outs` floats apart. residual may equal out. K may be 0.
struct Linear {
  enum : uint32_t { set, in, out, weight, bias, residual, ins, outs, count };
};
// rope_table: for each row cos(angle_i), i < pairs, then sin(angle_i), i < pairs, all times
// magnitude. [rows]
struct RopeTable {
  enum : uint32_t { set, out, invFreq, pairs, magnitude, count };
};
// rope: rotates each head by the row's table (width 2 * pairs); out may equal in. [rows]
struct Rope {
  enum : uint32_t { set, in, out, table, heads, headDim, pairs, count };
};
// KV cache. A layer's part of a cache of C positions starts kvOffset * C bytes in. There lie the KV
// heads, B * C bytes each, and in a head the blocks of 16 positions, 16 * B bytes each: values
// [16][headDim], keys [headDim][16], and for i8 scales of the 16 keys, then of the 16 values (f32).
// B is 8 * headDim for f32, 4 * headDim for bf16, 2 * headDim + 8 for i8. Values come first, so
// that vectors of 16 may be loaded from any place in them. A ring is the same among the session's
// rings, C being the positions that they hold, and position p lies where p % C does.
//
// kv_write_{f32,bf16,i8}: puts key and value rows into the session's cache; kv_write_ring_*: into
// its ring. bf16: rounded to nearest even. i8: scale = max |x| / 127, code =
// round_half_even(x * (127 / max)), both 0 where max |x| is below 2^-100; a head that is not finite
// gets the scale NaN.                                                          [rows * kvHeads]
struct KvWrite {
  enum : uint32_t { set, key, value, kvOffset, kvHeads, headDim, count };
};
// attention_{f32,bf16,i8}: all query heads of a KV head, item = kvHead * rows + row. [rows *
// kvHeads] kvMap: weight offset of uint32 bounds [kvHeads + 1] and heads [bounds[kvHeads]]: KV head
// g is read by the query heads heads[bounds[g]] up to heads[bounds[g + 1] - 1].
// attention_softcap_*: scores are softcap * tanh(score / softcap).
// attention_window_*, attention_window_softcap_*: the last `window` positions up to the row's own;
// inRing: 1 if the cache is a ring, else 0. Of the words from softcap on a stage has those up to
// the last that its kernel reads.
struct Attention {
  enum : uint32_t {
    set,
    query,
    out,
    kvOffset,
    heads,
    kvHeads,
    headDim,
    kvMap,
    scale,
    softcap,
    window,
    inRing,
    count
  };
};
// activation_{relu,gelu,gelu_tanh,silu}: out = f(in) (* other); out may equal in or other. [rows]
// activation_*_quantize: out is quantized for zero point `zero` and equals neither.
struct Activation {
  enum : uint32_t { set, in, other, out, width, zero, count };
};
// softcap: out = cap * tanh(in / cap); out may equal in. kNone for in and out is frame.logits, rows
// `width` floats apart.                                                                 [rows]
struct Softcap {
  enum : uint32_t { set, in, out, width, cap, count };
};
// add: out = in + other + constant (weight, f32 row), either kNone; out may equal in or other. mul:
// likewise out = in * other.                                                            [rows]
struct Binary {
  enum : uint32_t { set, in, other, constant, out, width, count };
};
// select: out[i] = in[index[i]]; index: weight offset of a uint32 [width]; in is inWidth wide.
// [rows]
struct Select {
  enum : uint32_t { set, in, out, index, width, inWidth, count };
};
// mask: out = in, but out[index[i]] = fill[i] (0 without fill), i < dead; out may equal in. [rows]
struct Mask {
  enum : uint32_t { set, in, out, index, fill, dead, width, count };
};
// gather: out row r of the LOGITS set = in row source[r] of the ALL set.       [logits rows]
struct Gather {
  enum : uint32_t { in, out, width, count };
};

// Experts. A router's choices of a row are `picks` numbers of experts, the highest score first and
// of equal ones the lower number, then as many weights; rows lie as those of a buffer of width 2 *
// picks. Rows of the ROUTED sets are choices in the order of experts, those of one expert in the
// order of rows. Groups of n rows are words: where each expert's routed rows begin [experts], where
// the last ones end, of each routed row the row it comes from [n * picks], and of each choice of
// each row the routed row [n][picks].
//
// route: weights are softmax over the scores of all experts, or with `normalize` of the chosen.
// [rows]
struct Route {
  enum : uint32_t { set, in, out, experts, picks, normalize, count };
};
// group: in: choices of all rows of the set; out: their groups.                        [1]
struct Group {
  enum : uint32_t { set, in, out, experts, picks, count };
};
// dispatch: each routed row is the row it comes from; rows of 64 * rowWords bytes. [routed rows]
struct Dispatch {
  enum : uint32_t { set, in, out, groups, experts, rowWords, count };
};
// expert_linear_{f32,f16,bf16,i8,i4}: as linear, for each expert's routed rows with its matrix,
// which lies expert * stride * 64 bytes from `weight`; bias and residual are kNone. Item = panel *
// experts + expert.                                                              [panels * experts]
struct ExpertLinear {
  enum : uint32_t {
    set,
    in,
    out,
    weight,
    bias,
    residual,
    ins,
    outs,
    groups,
    experts,
    stride,
    count
  };
};
// combine: out = residual + sum over the row's choices in order, from +0, fma(weight, the routed
// row, sum); `set` is that of the rows, in holds routed ones; out may equal residual. [rows]
struct Combine {
  enum : uint32_t { set, in, choices, groups, residual, out, width, experts, picks, count };
};

} // namespace coppice::args
