// The ops of the pack dialect that layers of experts become. Included by PackOps.td.
#ifndef COPPICE_PACK_EXPERT_OPS
#define COPPICE_PACK_EXPERT_OPS

def Pack_RouteOp : Pack_Stage<"route"> {
  let summary = "The experts that each row's scores choose, and their weights";
  let description = [{
    The highest scores, of equal ones the lower numbers, in that order. Weights are the softmax of
    all scores, or with `normalize` of the chosen ones.

    ```mlir
    %c = pack.route %s normalize : !pack.buffer<8, all> -> !pack.choices<2 of 8, all>
    ```
  }];
  let arguments = (ins Pack_BufferType:$scores, UnitAttr:$normalize, OptionalAttr<I64Attr>:$place);
  let results = (outs Pack_ChoicesType:$result);
  let assemblyFormat = [{
    $scores (`normalize` $normalize^)? attr-dict `:` type($scores) `->` type($result)
  }];
}

def Pack_GroupOp : Pack_Stage<"group"> {
  let summary = "The choices of all rows in the order of experts";
  let description = [{One item: those of an expert stay in the order of rows.}];
  let arguments = (ins Pack_ChoicesType:$choices, OptionalAttr<I64Attr>:$place);
  let results = (outs Pack_GroupsType:$result);
  let assemblyFormat = "$choices attr-dict `:` type($choices) `->` type($result)";
}

def Pack_DispatchOp : Pack_Stage<"dispatch"> {
  let summary = "Rows, once for each choice, in the order of experts";
  let description = [{
    From a row set to its routed one. The rows may be quantized, which is then done once however many
    experts read them.

    ```mlir
    %r = pack.dispatch %x by %g : !pack.buffer<64, all>, !pack.groups<2 of 8, all> -> !pack.buffer<64, routed>
    ```
  }];
  let arguments = (ins Pack_Rows:$input, Pack_GroupsType:$groups, OptionalAttr<I64Attr>:$place);
  let results = (outs Pack_Rows:$result);
  let assemblyFormat = [{
    $input `by` $groups attr-dict `:` type($input) `,` type($groups) `->` type($result)
  }];
}

def Pack_ExpertLinearOp : Pack_Stage<"expert_linear"> {
  let summary = "Each expert's routed rows x its weight^T";
  let description = [{
    The weight holds a matrix for each expert. One that no row chose is not read.

    ```mlir
    %y = pack.expert_linear %r, %w by %g : !pack.buffer<64, routed>,
        !pack.weight<96 by 64 by f16, panels, 8>, !pack.groups<2 of 8, all> -> !pack.buffer<96, routed>
    ```
  }];
  let arguments = (ins Pack_Rows:$input, Pack_WeightType:$weight, Pack_GroupsType:$groups,
                       OptionalAttr<I64Attr>:$place);
  let results = (outs Pack_BufferType:$result);
  let assemblyFormat = [{
    $input `,` $weight `by` $groups attr-dict `:` type($input) `,` type($weight) `,` type($groups) `->` type($result)
  }];
}

def Pack_CombineOp : Pack_Stage<"combine"> {
  let summary = "residual + the weighted sum of what each row's choices became";
  let description = [{
    In the order of the row's choices: no other row has a part in it. The result may lie where the
    residual lies.
  }];
  let arguments = (ins Pack_BufferType:$input, Pack_ChoicesType:$choices, Pack_GroupsType:$groups,
                       Optional<Pack_BufferType>:$residual, OptionalAttr<I64Attr>:$place);
  let results = (outs Pack_BufferType:$result);
  let assemblyFormat = [{
    $input `,` $choices `by` $groups (`residual` $residual^ `:` type($residual))? attr-dict
    `:` type($input) `,` type($choices) `,` type($groups) `->` type($result)
  }];
}

#endif // COPPICE_PACK_EXPERT_OPS
