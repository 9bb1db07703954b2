// Places and barriers that would let threads disturb each other.
// RUN: coppice-opt %s --split-input-file --verify-diagnostics --pack-verify-schedule

lm.tensor private @m : tensor<16x16xf32>
// Nothing is known before places are.
// expected-error @+1 {{has no memory plan: run pack-plan-memory before}}
pack.step @model {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  %x = pack.embed token of %w offset 0 {place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  %l = pack.linear %x, %w : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}

// -----

lm.tensor private @m : tensor<16x16xf32>
// A row of 16 floats from byte 64 on ends at 128.
pack.step @model attributes {arena = 64 : i64, kv = 0 : i64} {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  // expected-error @+1 {{writes bytes 64 to 128 of the arena, which has 64}}
  %x = pack.embed token of %w offset 0 {place = 64 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  %l = pack.linear %x, %w : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}

// -----

lm.tensor private @m : tensor<16x16xf32>
// Each panel of a linear reads the whole input: the result may not lie on it.
pack.step @model attributes {arena = 128 : i64, kv = 0 : i64} {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  %x = pack.embed token of %w offset 0 {place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  // expected-error @+1 {{writes bytes 0 to 64 of the arena while other items of it read bytes 0 to 64 of the arena}}
  %y = pack.linear %x, %w {place = 0 : i64} : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  %l = pack.linear %y, %w : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}

// -----

lm.tensor private @m : tensor<16x16xf32>
// Rows of another width share bytes with rows of other items.
pack.step @model attributes {arena = 128 : i64, kv = 0 : i64} {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  %i = pack.constant "select" [0] {offset = 1024 : i64} : !pack.weight<1 by 1 by i32, rows>
  %t = pack.constant "t" [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] {offset = 1088 : i64} : !pack.weight<1 by 17 by f32, rows>
  %x = pack.embed token of %t offset 0 {place = 0 : i64} : !pack.weight<1 by 17 by f32, rows> -> !pack.buffer<17, logits>
  // expected-error @+1 {{writes bytes 0 to 64 of the arena while other items of it read bytes 0 to 128 of the arena}}
  %y = pack.select %x by %i {place = 0 : i64} : !pack.buffer<17, logits>, !pack.weight<1 by 1 by i32, rows> -> !pack.buffer<1, logits>
  %v = pack.embed position of %w offset 0 {place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  %l = pack.linear %v, %w : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}

// -----

lm.tensor private @m : tensor<16x16xf32>
// A joined stage that reads what another one still writes.
pack.step @model attributes {arena = 192 : i64, kv = 0 : i64} {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  %x = pack.embed token of %w offset 0 {place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  // expected-note @+1 {{this stage since the last barrier writes bytes 64 to 128 of the arena}}
  %y = pack.linear %x, %w {place = 64 : i64} : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  %z = pack.linear %x, %w {pack.joined, place = 128 : i64} : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  // expected-error @+1 {{needs a barrier before it: it reads bytes 64 to 128 of the arena}}
  %l = pack.linear %y, %w {pack.joined} : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}

// -----

lm.tensor private @m : tensor<16x16xf32>
// A joined stage that writes what another one still reads.
pack.step @model attributes {arena = 128 : i64, kv = 0 : i64} {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  %x = pack.embed token of %w offset 0 {place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  // expected-note @+1 {{this stage since the last barrier reads bytes 0 to 64 of the arena}}
  %y = pack.linear %x, %w {place = 64 : i64} : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  // expected-error @+1 {{needs a barrier before it: it writes bytes 0 to 64 of the arena}}
  %z = pack.embed position of %w offset 0 {pack.joined, place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  %l = pack.linear %z, %w : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}

// -----

lm.tensor private @m : tensor<16x16xf32>
// Rings are apart from caches, with a size of their own: 16 floats of a key and of a value.
pack.step @model attributes {arena = 64 : i64, kv = 128 : i64, largestStep = 64 : i64, ring = 64 : i64, ringPositions = 128 : i64} {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  %x = pack.embed token of %w offset 0 {place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, all>
  %c = pack.kv_write %x, %x {place = 0 : i64} : !pack.buffer<16, all>, !pack.buffer<16, all> -> !pack.cache<1 by 16 by f32>
  // expected-error @+1 {{writes bytes 0 to 128 of the ring, which has 64}}
  %r = pack.kv_write %x, %x {place = 0 : i64, ring} : !pack.buffer<16, all>, !pack.buffer<16, all> -> !pack.cache<1 by 16 by f32>
  %l = pack.embed token of %w offset 0 : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}

// -----

lm.tensor private @m : tensor<16x16xf32>
// Grouping reads all choices: groups may not lie on them. With one expert a row, here and below, all
// buffers take as many bytes, so that nothing but what the items read can tell them apart.
pack.step @model attributes {arena = 448 : i64, kv = 0 : i64} {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  %i = pack.constant "select" [0, 1, 2] {offset = 1024 : i64} : !pack.weight<1 by 3 by i32, rows>
  %x = pack.embed token of %w offset 0 {place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  %s = pack.select %x by %i {place = 64 : i64} : !pack.buffer<16, logits>, !pack.weight<1 by 3 by i32, rows> -> !pack.buffer<3, logits>
  %c = pack.route %s {place = 128 : i64} : !pack.buffer<3, logits> -> !pack.choices<1 of 3, logits>
  // expected-error @+1 {{writes bytes 128 to 192 of the arena while other items of it read bytes 128 to 192 of the arena}}
  %g = pack.group %c {place = 128 : i64} : !pack.choices<1 of 3, logits> -> !pack.groups<1 of 3, logits>
  %l = pack.linear %x, %w : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}

// -----

lm.tensor private @m : tensor<16x16xf32>
// A routed row may come from any row: none may lie on them.
pack.step @model attributes {arena = 448 : i64, kv = 0 : i64} {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  %i = pack.constant "select" [0, 1, 2] {offset = 1024 : i64} : !pack.weight<1 by 3 by i32, rows>
  %x = pack.embed token of %w offset 0 {place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  %s = pack.select %x by %i {place = 64 : i64} : !pack.buffer<16, logits>, !pack.weight<1 by 3 by i32, rows> -> !pack.buffer<3, logits>
  %c = pack.route %s {place = 128 : i64} : !pack.buffer<3, logits> -> !pack.choices<1 of 3, logits>
  %g = pack.group %c {place = 192 : i64} : !pack.choices<1 of 3, logits> -> !pack.groups<1 of 3, logits>
  // expected-error @+1 {{writes bytes 0 to 64 of the arena while other items of it read bytes 0 to 64 of the arena}}
  %r = pack.dispatch %x by %g {place = 0 : i64} : !pack.buffer<16, logits>, !pack.groups<1 of 3, logits> -> !pack.buffer<16, routed_logits>
  %l = pack.linear %x, %w : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}

// -----

lm.tensor private @m : tensor<16x16xf32>
// Every routed row is looked up in the groups: none may lie on them.
pack.step @model attributes {arena = 448 : i64, kv = 0 : i64} {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  %i = pack.constant "select" [0, 1, 2] {offset = 1024 : i64} : !pack.weight<1 by 3 by i32, rows>
  %x = pack.embed token of %w offset 0 {place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  %s = pack.select %x by %i {place = 64 : i64} : !pack.buffer<16, logits>, !pack.weight<1 by 3 by i32, rows> -> !pack.buffer<3, logits>
  %c = pack.route %s {place = 128 : i64} : !pack.buffer<3, logits> -> !pack.choices<1 of 3, logits>
  %g = pack.group %c {place = 192 : i64} : !pack.choices<1 of 3, logits> -> !pack.groups<1 of 3, logits>
  // expected-error @+1 {{writes bytes 192 to 256 of the arena while other items of it read bytes 192 to 256 of the arena}}
  %r = pack.dispatch %x by %g {place = 192 : i64} : !pack.buffer<16, logits>, !pack.groups<1 of 3, logits> -> !pack.buffer<16, routed_logits>
  %l = pack.linear %x, %w : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}

// -----

lm.tensor private @m : tensor<16x16xf32>
// Each panel of an expert reads the whole of its routed rows: the result may not lie on them.
pack.step @model attributes {arena = 448 : i64, kv = 0 : i64} {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  %i = pack.constant "select" [0, 1, 2] {offset = 1024 : i64} : !pack.weight<1 by 3 by i32, rows>
  %e = pack.weight "experts" %m, %m, %m {offset = 1088 : i64} : tensor<16x16xf32>, tensor<16x16xf32>, tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels, 3>
  %x = pack.embed token of %w offset 0 {place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  %s = pack.select %x by %i {place = 64 : i64} : !pack.buffer<16, logits>, !pack.weight<1 by 3 by i32, rows> -> !pack.buffer<3, logits>
  %c = pack.route %s {place = 128 : i64} : !pack.buffer<3, logits> -> !pack.choices<1 of 3, logits>
  %g = pack.group %c {place = 192 : i64} : !pack.choices<1 of 3, logits> -> !pack.groups<1 of 3, logits>
  %r = pack.dispatch %x by %g {place = 256 : i64} : !pack.buffer<16, logits>, !pack.groups<1 of 3, logits> -> !pack.buffer<16, routed_logits>
  // expected-error @+1 {{writes bytes 256 to 320 of the arena while other items of it read bytes 256 to 320 of the arena}}
  %y = pack.expert_linear %r, %e by %g {place = 256 : i64} : !pack.buffer<16, routed_logits>, !pack.weight<16 by 16 by f32, panels, 3>, !pack.groups<1 of 3, logits> -> !pack.buffer<16, routed_logits>
  %l = pack.linear %x, %w : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}

// -----

lm.tensor private @m : tensor<16x16xf32>
// Every panel of every expert reads the groups: the result may not lie on them.
pack.step @model attributes {arena = 448 : i64, kv = 0 : i64} {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  %i = pack.constant "select" [0, 1, 2] {offset = 1024 : i64} : !pack.weight<1 by 3 by i32, rows>
  %e = pack.weight "experts" %m, %m, %m {offset = 1088 : i64} : tensor<16x16xf32>, tensor<16x16xf32>, tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels, 3>
  %x = pack.embed token of %w offset 0 {place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  %s = pack.select %x by %i {place = 64 : i64} : !pack.buffer<16, logits>, !pack.weight<1 by 3 by i32, rows> -> !pack.buffer<3, logits>
  %c = pack.route %s {place = 128 : i64} : !pack.buffer<3, logits> -> !pack.choices<1 of 3, logits>
  %g = pack.group %c {place = 192 : i64} : !pack.choices<1 of 3, logits> -> !pack.groups<1 of 3, logits>
  %r = pack.dispatch %x by %g {place = 256 : i64} : !pack.buffer<16, logits>, !pack.groups<1 of 3, logits> -> !pack.buffer<16, routed_logits>
  // expected-error @+1 {{writes bytes 192 to 256 of the arena while other items of it read bytes 192 to 256 of the arena}}
  %y = pack.expert_linear %r, %e by %g {place = 192 : i64} : !pack.buffer<16, routed_logits>, !pack.weight<16 by 16 by f32, panels, 3>, !pack.groups<1 of 3, logits> -> !pack.buffer<16, routed_logits>
  %l = pack.linear %x, %w : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}

// -----

lm.tensor private @m : tensor<16x16xf32>
// A row is combined from any routed rows: the result may not lie on them.
pack.step @model attributes {arena = 448 : i64, kv = 0 : i64} {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  %i = pack.constant "select" [0, 1, 2] {offset = 1024 : i64} : !pack.weight<1 by 3 by i32, rows>
  %e = pack.weight "experts" %m, %m, %m {offset = 1088 : i64} : tensor<16x16xf32>, tensor<16x16xf32>, tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels, 3>
  %x = pack.embed token of %w offset 0 {place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  %s = pack.select %x by %i {place = 64 : i64} : !pack.buffer<16, logits>, !pack.weight<1 by 3 by i32, rows> -> !pack.buffer<3, logits>
  %c = pack.route %s {place = 128 : i64} : !pack.buffer<3, logits> -> !pack.choices<1 of 3, logits>
  %g = pack.group %c {place = 192 : i64} : !pack.choices<1 of 3, logits> -> !pack.groups<1 of 3, logits>
  %r = pack.dispatch %x by %g {place = 256 : i64} : !pack.buffer<16, logits>, !pack.groups<1 of 3, logits> -> !pack.buffer<16, routed_logits>
  %y = pack.expert_linear %r, %e by %g {place = 320 : i64} : !pack.buffer<16, routed_logits>, !pack.weight<16 by 16 by f32, panels, 3>, !pack.groups<1 of 3, logits> -> !pack.buffer<16, routed_logits>
  // expected-error @+1 {{writes bytes 320 to 384 of the arena while other items of it read bytes 320 to 384 of the arena}}
  %o = pack.combine %y, %c by %g residual %x : !pack.buffer<16, logits> {place = 320 : i64} : !pack.buffer<16, routed_logits>, !pack.choices<1 of 3, logits>, !pack.groups<1 of 3, logits> -> !pack.buffer<16, logits>
  %l = pack.linear %x, %w : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}

// -----

lm.tensor private @m : tensor<16x16xf32>
// Every row is looked up in the groups: what is combined may not lie on them.
pack.step @model attributes {arena = 448 : i64, kv = 0 : i64} {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  %i = pack.constant "select" [0, 1, 2] {offset = 1024 : i64} : !pack.weight<1 by 3 by i32, rows>
  %e = pack.weight "experts" %m, %m, %m {offset = 1088 : i64} : tensor<16x16xf32>, tensor<16x16xf32>, tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels, 3>
  %x = pack.embed token of %w offset 0 {place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  %s = pack.select %x by %i {place = 64 : i64} : !pack.buffer<16, logits>, !pack.weight<1 by 3 by i32, rows> -> !pack.buffer<3, logits>
  %c = pack.route %s {place = 128 : i64} : !pack.buffer<3, logits> -> !pack.choices<1 of 3, logits>
  %g = pack.group %c {place = 192 : i64} : !pack.choices<1 of 3, logits> -> !pack.groups<1 of 3, logits>
  %r = pack.dispatch %x by %g {place = 256 : i64} : !pack.buffer<16, logits>, !pack.groups<1 of 3, logits> -> !pack.buffer<16, routed_logits>
  %y = pack.expert_linear %r, %e by %g {place = 320 : i64} : !pack.buffer<16, routed_logits>, !pack.weight<16 by 16 by f32, panels, 3>, !pack.groups<1 of 3, logits> -> !pack.buffer<16, routed_logits>
  // expected-error @+1 {{writes bytes 192 to 256 of the arena while other items of it read bytes 192 to 256 of the arena}}
  %o = pack.combine %y, %c by %g residual %x : !pack.buffer<16, logits> {place = 192 : i64} : !pack.buffer<16, routed_logits>, !pack.choices<1 of 3, logits>, !pack.groups<1 of 3, logits> -> !pack.buffer<16, logits>
  %l = pack.linear %x, %w : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}

// -----

lm.tensor private @m : tensor<16x16xf32>
// Rows whose logits are wanted come from other rows: they may not lie on them.
pack.step @model attributes {arena = 64 : i64, kv = 0 : i64} {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  %x = pack.embed token of %w offset 0 {place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, all>
  // expected-error @+1 {{writes bytes 0 to 64 of the arena while other items of it read bytes 0 to 64 of the arena}}
  %y = pack.gather %x {place = 0 : i64} : !pack.buffer<16, all> -> !pack.buffer<16, logits>
  %l = pack.linear %y, %w : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}

// -----

lm.tensor private @m : tensor<16x16xf32>
// Attention reads keys and values that other rows of the step write: a barrier comes between.
pack.step @model attributes {arena = 128 : i64, kv = 128 : i64} {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  %i = pack.constant "kv_map" [0, 1, 0] {offset = 1024 : i64} : !pack.weight<1 by 3 by i32, rows>
  %x = pack.embed token of %w offset 0 {place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, all>
  // expected-note @+1 {{this stage since the last barrier writes bytes 0 to 128 of the cache}}
  %c = pack.kv_write %x, %x {place = 0 : i64} : !pack.buffer<16, all>, !pack.buffer<16, all> -> !pack.cache<1 by 16 by f32>
  // expected-error @+1 {{needs a barrier before it: it reads bytes 0 to 128 of the cache}}
  %a = pack.attention %x over %c kv_map %i : !pack.weight<1 by 3 by i32, rows> scale 2.5e-01 {pack.joined, place = 64 : i64} : !pack.buffer<16, all>, !pack.cache<1 by 16 by f32> -> !pack.buffer<16, all>
  %r = pack.gather %a {place = 0 : i64} : !pack.buffer<16, all> -> !pack.buffer<16, logits>
  %l = pack.linear %r, %w : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}

// -----

lm.tensor private @m : tensor<16x16xf32>
// Attention reads what other rows write to a ring too.
pack.step @model attributes {arena = 128 : i64, kv = 0 : i64, largestStep = 64 : i64, ring = 128 : i64, ringPositions = 128 : i64} {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  %i = pack.constant "kv_map" [0, 1, 0] {offset = 1024 : i64} : !pack.weight<1 by 3 by i32, rows>
  %x = pack.embed token of %w offset 0 {place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, all>
  // expected-note @+1 {{this stage since the last barrier writes bytes 0 to 128 of the ring}}
  %c = pack.kv_write %x, %x {place = 0 : i64, ring} : !pack.buffer<16, all>, !pack.buffer<16, all> -> !pack.cache<1 by 16 by f32>
  // expected-error @+1 {{needs a barrier before it: it reads bytes 0 to 128 of the ring}}
  %a = pack.attention %x over %c kv_map %i : !pack.weight<1 by 3 by i32, rows> scale 2.5e-01 window 64 {pack.joined, place = 64 : i64} : !pack.buffer<16, all>, !pack.cache<1 by 16 by f32> -> !pack.buffer<16, all>
  %r = pack.gather %a {place = 0 : i64} : !pack.buffer<16, all> -> !pack.buffer<16, logits>
  %l = pack.linear %r, %w : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}

// -----

lm.tensor private @m : tensor<16x16xf32>
lm.tensor private @q : tensor<32x16xf32>
// An item of attention reads its own heads of the query: the result may lie on the query, but on no
// other part of it.
pack.step @model attributes {arena = 256 : i64, kv = 128 : i64} {
  %m = lm.weight @m : tensor<16x16xf32>
  %w = pack.weight "w" %m {offset = 0 : i64} : tensor<16x16xf32> -> !pack.weight<16 by 16 by f32, panels>
  %n = lm.weight @q : tensor<32x16xf32>
  %v = pack.weight "q" %n {offset = 1024 : i64} : tensor<32x16xf32> -> !pack.weight<32 by 16 by f32, panels>
  %i = pack.constant "kv_map" [0, 2, 0, 1] {offset = 3072 : i64} : !pack.weight<1 by 4 by i32, rows>
  %x = pack.embed token of %w offset 0 {place = 0 : i64} : !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, all>
  %q = pack.linear %x, %v {place = 64 : i64} : !pack.buffer<16, all>, !pack.weight<32 by 16 by f32, panels> -> !pack.buffer<32, all>
  %c = pack.kv_write %x, %x {pack.joined, place = 0 : i64} : !pack.buffer<16, all>, !pack.buffer<16, all> -> !pack.cache<1 by 16 by f32>
  %a = pack.attention %q over %c kv_map %i : !pack.weight<1 by 4 by i32, rows> scale 2.5e-01 {place = 64 : i64} : !pack.buffer<32, all>, !pack.cache<1 by 16 by f32> -> !pack.buffer<32, all>
  // expected-error @+1 {{writes bytes 128 to 256 of the arena while other items of it read bytes 64 to 192 of the arena}}
  %b = pack.attention %a over %c kv_map %i : !pack.weight<1 by 4 by i32, rows> scale 2.5e-01 {place = 128 : i64} : !pack.buffer<32, all>, !pack.cache<1 by 16 by f32> -> !pack.buffer<32, all>
  %r = pack.gather %x {place = 64 : i64} : !pack.buffer<16, all> -> !pack.buffer<16, logits>
  %l = pack.linear %r, %w : !pack.buffer<16, logits>, !pack.weight<16 by 16 by f32, panels> -> !pack.buffer<16, logits>
  pack.return %l : !pack.buffer<16, logits>
}
