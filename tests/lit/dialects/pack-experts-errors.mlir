// Errors of the ops of experts.
// RUN: coppice-opt %s --split-input-file --verify-diagnostics

// A row chooses no more experts than there are.
lm.tensor private @a : tensor<6x4xf16>
lm.tensor private @b : tensor<6x4xf16>
lm.tensor private @m : tensor<4x4xf32>
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %st = pack.constant "s" [0, 0, 0] : !pack.weight<1 by 3 by f32, rows>
  %s = pack.embed token of %st offset 0 : !pack.weight<1 by 3 by f32, rows> -> !pack.buffer<3, all>
  // expected-error @+1 {{a row cannot choose 4 of 3 experts}}
  %c = pack.route %s normalize : !pack.buffer<3, all> -> !pack.choices<4 of 3, all>
  %ew = lm.weight @m : tensor<4x4xf32>
  %ep = pack.weight "e" %ew : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ep offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

// Choices are of rows, not of choices.
lm.tensor private @a : tensor<6x4xf16>
lm.tensor private @b : tensor<6x4xf16>
lm.tensor private @m : tensor<4x4xf32>
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %st = pack.constant "s" [0, 0, 0] : !pack.weight<1 by 3 by f32, rows>
  %s = pack.embed token of %st offset 0 : !pack.weight<1 by 3 by f32, rows> -> !pack.buffer<3, all>
  // expected-error @+1 {{rows are routed once}}
  %c = pack.route %s normalize : !pack.buffer<3, all> -> !pack.choices<2 of 3, routed>
  %ew = lm.weight @m : tensor<4x4xf32>
  %ep = pack.weight "e" %ew : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ep offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

// There is a score for each expert.
lm.tensor private @a : tensor<6x4xf16>
lm.tensor private @b : tensor<6x4xf16>
lm.tensor private @m : tensor<4x4xf32>
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %st = pack.constant "s" [0, 0, 0] : !pack.weight<1 by 3 by f32, rows>
  %s = pack.embed token of %st offset 0 : !pack.weight<1 by 3 by f32, rows> -> !pack.buffer<3, all>
  // expected-error @+1 {{one score for each expert, of the same rows}}
  %c = pack.route %s normalize : !pack.buffer<3, all> -> !pack.choices<2 of 5, all>
  %ew = lm.weight @m : tensor<4x4xf32>
  %ep = pack.weight "e" %ew : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ep offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

// Groups are of the choices.
lm.tensor private @a : tensor<6x4xf16>
lm.tensor private @b : tensor<6x4xf16>
lm.tensor private @m : tensor<4x4xf32>
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %st = pack.constant "s" [0, 0, 0] : !pack.weight<1 by 3 by f32, rows>
  %s = pack.embed token of %st offset 0 : !pack.weight<1 by 3 by f32, rows> -> !pack.buffer<3, all>
  %c = pack.route %s normalize : !pack.buffer<3, all> -> !pack.choices<2 of 3, all>
  // expected-error @+1 {{groups are of the choices' experts, picks and rows}}
  %g = pack.group %c : !pack.choices<2 of 3, all> -> !pack.groups<1 of 3, all>
  %ew = lm.weight @m : tensor<4x4xf32>
  %ep = pack.weight "e" %ew : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ep offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

// Rows are copied as they are.
lm.tensor private @a : tensor<6x4xf16>
lm.tensor private @b : tensor<6x4xf16>
lm.tensor private @m : tensor<4x4xf32>
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %st = pack.constant "s" [0, 0, 0] : !pack.weight<1 by 3 by f32, rows>
  %s = pack.embed token of %st offset 0 : !pack.weight<1 by 3 by f32, rows> -> !pack.buffer<3, all>
  %c = pack.route %s normalize : !pack.buffer<3, all> -> !pack.choices<2 of 3, all>
  %g = pack.group %c : !pack.choices<2 of 3, all> -> !pack.groups<2 of 3, all>
  // expected-error @+1 {{copies rows of}}
  %r = pack.dispatch %x by %g : !pack.buffer<4, all>, !pack.groups<2 of 3, all> -> !pack.buffer<5, routed>
  %ew = lm.weight @m : tensor<4x4xf32>
  %ep = pack.weight "e" %ew : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ep offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

// To the routed rows.
lm.tensor private @a : tensor<6x4xf16>
lm.tensor private @b : tensor<6x4xf16>
lm.tensor private @m : tensor<4x4xf32>
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %st = pack.constant "s" [0, 0, 0] : !pack.weight<1 by 3 by f32, rows>
  %s = pack.embed token of %st offset 0 : !pack.weight<1 by 3 by f32, rows> -> !pack.buffer<3, all>
  %c = pack.route %s normalize : !pack.buffer<3, all> -> !pack.choices<2 of 3, all>
  %g = pack.group %c : !pack.choices<2 of 3, all> -> !pack.groups<2 of 3, all>
  // expected-error @+1 {{the result must be rows that}}
  %r = pack.dispatch %x by %g : !pack.buffer<4, all>, !pack.groups<2 of 3, all> -> !pack.buffer<4, all>
  %ew = lm.weight @m : tensor<4x4xf32>
  %ep = pack.weight "e" %ew : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ep offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

// Experts read routed rows.
lm.tensor private @a : tensor<6x4xf16>
lm.tensor private @b : tensor<6x4xf16>
lm.tensor private @m : tensor<4x4xf32>
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %st = pack.constant "s" [0, 0, 0] : !pack.weight<1 by 3 by f32, rows>
  %s = pack.embed token of %st offset 0 : !pack.weight<1 by 3 by f32, rows> -> !pack.buffer<3, all>
  %c = pack.route %s normalize : !pack.buffer<3, all> -> !pack.choices<2 of 3, all>
  %g = pack.group %c : !pack.choices<2 of 3, all> -> !pack.groups<2 of 3, all>
  %a = lm.weight @a : tensor<6x4xf16>
  %b = lm.weight @b : tensor<6x4xf16>
  %w = pack.weight "experts" %a, %b, %a : tensor<6x4xf16>, tensor<6x4xf16>, tensor<6x4xf16> -> !pack.weight<6 by 4 by f16, panels, 3>
  // expected-error @+1 {{the input must be rows that}}
  %y = pack.expert_linear %x, %w by %g : !pack.buffer<4, all>, !pack.weight<6 by 4 by f16, panels, 3>, !pack.groups<2 of 3, all> -> !pack.buffer<6, routed>
  %ew = lm.weight @m : tensor<4x4xf32>
  %ep = pack.weight "e" %ew : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ep offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

// There is a matrix for each expert.
lm.tensor private @a : tensor<6x4xf16>
lm.tensor private @b : tensor<6x4xf16>
lm.tensor private @m : tensor<4x4xf32>
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %st = pack.constant "s" [0, 0, 0] : !pack.weight<1 by 3 by f32, rows>
  %s = pack.embed token of %st offset 0 : !pack.weight<1 by 3 by f32, rows> -> !pack.buffer<3, all>
  %c = pack.route %s normalize : !pack.buffer<3, all> -> !pack.choices<2 of 3, all>
  %g = pack.group %c : !pack.choices<2 of 3, all> -> !pack.groups<2 of 3, all>
  %r = pack.dispatch %x by %g : !pack.buffer<4, all>, !pack.groups<2 of 3, all> -> !pack.buffer<4, routed>
  %a = lm.weight @a : tensor<6x4xf16>
  %b = lm.weight @b : tensor<6x4xf16>
  %w = pack.weight "experts" %a, %b : tensor<6x4xf16>, tensor<6x4xf16> -> !pack.weight<6 by 4 by f16, panels, 2>
  // expected-error @+1 {{needs a weight in panels for each expert of}}
  %y = pack.expert_linear %r, %w by %g : !pack.buffer<4, routed>, !pack.weight<6 by 4 by f16, panels, 2>, !pack.groups<2 of 3, all> -> !pack.buffer<6, routed>
  %ew = lm.weight @m : tensor<4x4xf32>
  %ep = pack.weight "e" %ew : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ep offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

// Quantized matrices take quantized rows.
lm.tensor private @a : tensor<6x4xf16>
lm.tensor private @b : tensor<6x4xf16>
lm.tensor private @m : tensor<4x4xf32>
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %st = pack.constant "s" [0, 0, 0] : !pack.weight<1 by 3 by f32, rows>
  %s = pack.embed token of %st offset 0 : !pack.weight<1 by 3 by f32, rows> -> !pack.buffer<3, all>
  %c = pack.route %s normalize : !pack.buffer<3, all> -> !pack.choices<2 of 3, all>
  %g = pack.group %c : !pack.choices<2 of 3, all> -> !pack.groups<2 of 3, all>
  %r = pack.dispatch %x by %g : !pack.buffer<4, all>, !pack.groups<2 of 3, all> -> !pack.buffer<4, routed>
  %a = lm.weight @a : tensor<6x4xf16>
  %b = lm.weight @b : tensor<6x4xf16>
  %w = pack.weight "experts" %a, %b, %a : tensor<6x4xf16>, tensor<6x4xf16>, tensor<6x4xf16> -> !pack.weight<6 by 4 by i8, panels, 3>
  // expected-error @+1 {{i8 weights take rows quantized for zero 128}}
  %y = pack.expert_linear %r, %w by %g : !pack.buffer<4, routed>, !pack.weight<6 by 4 by i8, panels, 3>, !pack.groups<2 of 3, all> -> !pack.buffer<6, routed>
  %ew = lm.weight @m : tensor<4x4xf32>
  %ep = pack.weight "e" %ew : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ep offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

// Widths agree.
lm.tensor private @a : tensor<6x4xf16>
lm.tensor private @b : tensor<6x4xf16>
lm.tensor private @m : tensor<4x4xf32>
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %st = pack.constant "s" [0, 0, 0] : !pack.weight<1 by 3 by f32, rows>
  %s = pack.embed token of %st offset 0 : !pack.weight<1 by 3 by f32, rows> -> !pack.buffer<3, all>
  %c = pack.route %s normalize : !pack.buffer<3, all> -> !pack.choices<2 of 3, all>
  %g = pack.group %c : !pack.choices<2 of 3, all> -> !pack.groups<2 of 3, all>
  %r = pack.dispatch %x by %g : !pack.buffer<4, all>, !pack.groups<2 of 3, all> -> !pack.buffer<4, routed>
  %a = lm.weight @a : tensor<6x4xf16>
  %b = lm.weight @b : tensor<6x4xf16>
  %w = pack.weight "experts" %a, %b, %a : tensor<6x4xf16>, tensor<6x4xf16>, tensor<6x4xf16> -> !pack.weight<6 by 4 by f16, panels, 3>
  // expected-error @+1 {{maps}}
  %y = pack.expert_linear %r, %w by %g : !pack.buffer<4, routed>, !pack.weight<6 by 4 by f16, panels, 3>, !pack.groups<2 of 3, all> -> !pack.buffer<7, routed>
  %ew = lm.weight @m : tensor<4x4xf32>
  %ep = pack.weight "e" %ew : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ep offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

// What is combined has the width of the result.
lm.tensor private @a : tensor<6x4xf16>
lm.tensor private @b : tensor<6x4xf16>
lm.tensor private @m : tensor<4x4xf32>
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %st = pack.constant "s" [0, 0, 0] : !pack.weight<1 by 3 by f32, rows>
  %s = pack.embed token of %st offset 0 : !pack.weight<1 by 3 by f32, rows> -> !pack.buffer<3, all>
  %c = pack.route %s normalize : !pack.buffer<3, all> -> !pack.choices<2 of 3, all>
  %g = pack.group %c : !pack.choices<2 of 3, all> -> !pack.groups<2 of 3, all>
  %r = pack.dispatch %x by %g : !pack.buffer<4, all>, !pack.groups<2 of 3, all> -> !pack.buffer<4, routed>
  %a = lm.weight @a : tensor<6x4xf16>
  %b = lm.weight @b : tensor<6x4xf16>
  %w = pack.weight "experts" %a, %b, %a : tensor<6x4xf16>, tensor<6x4xf16>, tensor<6x4xf16> -> !pack.weight<6 by 4 by f16, panels, 3>
  %y = pack.expert_linear %r, %w by %g : !pack.buffer<4, routed>, !pack.weight<6 by 4 by f16, panels, 3>, !pack.groups<2 of 3, all> -> !pack.buffer<6, routed>
  // expected-error @+1 {{combines}}
  %z = pack.combine %y, %c by %g : !pack.buffer<6, routed>, !pack.choices<2 of 3, all>, !pack.groups<2 of 3, all> -> !pack.buffer<5, all>
  %ew = lm.weight @m : tensor<4x4xf32>
  %ep = pack.weight "e" %ew : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ep offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

// The residual is like the result.
lm.tensor private @a : tensor<6x4xf16>
lm.tensor private @b : tensor<6x4xf16>
lm.tensor private @m : tensor<4x4xf32>
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %st = pack.constant "s" [0, 0, 0] : !pack.weight<1 by 3 by f32, rows>
  %s = pack.embed token of %st offset 0 : !pack.weight<1 by 3 by f32, rows> -> !pack.buffer<3, all>
  %c = pack.route %s normalize : !pack.buffer<3, all> -> !pack.choices<2 of 3, all>
  %g = pack.group %c : !pack.choices<2 of 3, all> -> !pack.groups<2 of 3, all>
  %r = pack.dispatch %x by %g : !pack.buffer<4, all>, !pack.groups<2 of 3, all> -> !pack.buffer<4, routed>
  %a = lm.weight @a : tensor<6x4xf16>
  %b = lm.weight @b : tensor<6x4xf16>
  %w = pack.weight "experts" %a, %b, %a : tensor<6x4xf16>, tensor<6x4xf16>, tensor<6x4xf16> -> !pack.weight<6 by 4 by f16, panels, 3>
  %y = pack.expert_linear %r, %w by %g : !pack.buffer<4, routed>, !pack.weight<6 by 4 by f16, panels, 3>, !pack.groups<2 of 3, all> -> !pack.buffer<6, routed>
  // expected-error @+1 {{the residual must be like the result}}
  %z = pack.combine %y, %c by %g residual %x : !pack.buffer<4, all> : !pack.buffer<6, routed>, !pack.choices<2 of 3, all>, !pack.groups<2 of 3, all> -> !pack.buffer<6, all>
  %ew = lm.weight @m : tensor<4x4xf32>
  %ep = pack.weight "e" %ew : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ep offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

// A weight has a source for each expert.
lm.tensor private @a : tensor<6x4xf16>
lm.tensor private @b : tensor<6x4xf16>
lm.tensor private @m : tensor<4x4xf32>
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %st = pack.constant "s" [0, 0, 0] : !pack.weight<1 by 3 by f32, rows>
  %s = pack.embed token of %st offset 0 : !pack.weight<1 by 3 by f32, rows> -> !pack.buffer<3, all>
  %a = lm.weight @a : tensor<6x4xf16>
  %b = lm.weight @b : tensor<6x4xf16>
  // expected-error @+1 {{packs 2 sources as}}
  %w = pack.weight "experts" %a, %b : tensor<6x4xf16>, tensor<6x4xf16> -> !pack.weight<6 by 4 by f16, panels, 3>
  %ew = lm.weight @m : tensor<4x4xf32>
  %ep = pack.weight "e" %ew : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ep offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

// They are of one shape.
lm.tensor private @a : tensor<6x4xf16>
lm.tensor private @b : tensor<6x4xf16>
lm.tensor private @m : tensor<4x4xf32>
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %st = pack.constant "s" [0, 0, 0] : !pack.weight<1 by 3 by f32, rows>
  %s = pack.embed token of %st offset 0 : !pack.weight<1 by 3 by f32, rows> -> !pack.buffer<3, all>
  %a = lm.weight @a : tensor<6x4xf16>
  %o = lm.weight @m : tensor<4x4xf32>
  // expected-error @+1 {{the matrices of a layer's experts are of one shape}}
  %w = pack.weight "experts" %a, %o : tensor<6x4xf16>, tensor<4x4xf32> -> !pack.weight<6 by 4 by f16, panels, 2>
  %ew = lm.weight @m : tensor<4x4xf32>
  %ep = pack.weight "e" %ew : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ep offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

// There is one at least.
lm.tensor private @a : tensor<6x4xf16>
lm.tensor private @b : tensor<6x4xf16>
lm.tensor private @m : tensor<4x4xf32>
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %st = pack.constant "s" [0, 0, 0] : !pack.weight<1 by 3 by f32, rows>
  %s = pack.embed token of %st offset 0 : !pack.weight<1 by 3 by f32, rows> -> !pack.buffer<3, all>
  %a = lm.weight @a : tensor<6x4xf16>
  // expected-error @+1 {{a weight cannot be of 0 experts}}
  %w = pack.weight "experts" %a : tensor<6x4xf16> -> !pack.weight<6 by 4 by f16, panels, 0>
  %ew = lm.weight @m : tensor<4x4xf32>
  %ep = pack.weight "e" %ew : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ep offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

// Of routed rows those of one expert are marked.
lm.tensor private @a : tensor<6x4xf16>
lm.tensor private @b : tensor<6x4xf16>
lm.tensor private @m : tensor<4x4xf32>
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %st = pack.constant "s" [0, 0, 0] : !pack.weight<1 by 3 by f32, rows>
  %s = pack.embed token of %st offset 0 : !pack.weight<1 by 3 by f32, rows> -> !pack.buffer<3, all>
  %c = pack.route %s normalize : !pack.buffer<3, all> -> !pack.choices<2 of 3, all>
  %g = pack.group %c : !pack.choices<2 of 3, all> -> !pack.groups<2 of 3, all>
  %r = pack.dispatch %x by %g : !pack.buffer<4, all>, !pack.groups<2 of 3, all> -> !pack.buffer<4, routed>
  // expected-error @+1 {{of routed rows those of one expert, of others all}}
  pack.observe "a" %r : !pack.buffer<4, routed>
  %ew = lm.weight @m : tensor<4x4xf32>
  %ep = pack.weight "e" %ew : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ep offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}

// -----

// Of an expert that there is.
lm.tensor private @a : tensor<6x4xf16>
lm.tensor private @b : tensor<6x4xf16>
lm.tensor private @m : tensor<4x4xf32>
pack.step @model {
  %xt = pack.constant "t" [0, 0, 0, 0] : !pack.weight<1 by 4 by f32, rows>
  %x = pack.embed token of %xt offset 0 : !pack.weight<1 by 4 by f32, rows> -> !pack.buffer<4, all>
  %st = pack.constant "s" [0, 0, 0] : !pack.weight<1 by 3 by f32, rows>
  %s = pack.embed token of %st offset 0 : !pack.weight<1 by 3 by f32, rows> -> !pack.buffer<3, all>
  %c = pack.route %s normalize : !pack.buffer<3, all> -> !pack.choices<2 of 3, all>
  %g = pack.group %c : !pack.choices<2 of 3, all> -> !pack.groups<2 of 3, all>
  %r = pack.dispatch %x by %g : !pack.buffer<4, all>, !pack.groups<2 of 3, all> -> !pack.buffer<4, routed>
  // expected-error @+1 {{marks expert 3 of}}
  pack.observe "a" %r expert 3 of %g : !pack.groups<2 of 3, all> : !pack.buffer<4, routed>
  %ew = lm.weight @m : tensor<4x4xf32>
  %ep = pack.weight "e" %ew : tensor<4x4xf32> -> !pack.weight<4 by 4 by f32, rows>
  %end = pack.embed token of %ep offset 0 : !pack.weight<4 by 4 by f32, rows> -> !pack.buffer<4, logits>
  pack.return %end : !pack.buffer<4, logits>
}
