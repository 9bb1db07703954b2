// The pass that applies a plan. The passes that remove what it masks are in
// compiler/passes/Passes.td.
#ifndef COPPICE_PLAN_PASSES
#define COPPICE_PLAN_PASSES

include "mlir/Pass/PassBase.td"

def ApplyPlan : Pass<"lm-apply-plan", "::mlir::ModuleOp"> {
  let summary = "Masks what a pruning plan removes";
  let description = [{
    Heads are masked right after `lm.attention`, neurons right before the projection that reads
    them; a block that goes as a whole is marked `skip`; experts are listed in `lm.moe`. The result
    is the meaning of the plan, and can be compiled as it is. With heads of 4 columns and the plan
    `{"layer": 0, "heads": [1]}`

    ```mlir
    %1 = lm.attention %q, %k, %v head_dim 4 ...
    %2 = lm.linear %1, %w : ...
    ```
    becomes
    ```mlir
    %1 = lm.attention %q, %k, %v head_dim 4 ...
    %m = lm.mask %1 dead <4 to 7> : tensor<?x8xf32>
    %2 = lm.linear %m, %w : ...
    ```

    Restrictions: the graph is as imported, since a plan counts heads and neurons as the checkpoint
    does. The plan is checked against the whole model first, so that a plan with an error changes
    nothing.
  }];
  let options = [Option<"plan", "plan", "std::string", "", "The plan, a JSON file">,
                 Option<"report", "report", "bool", "false",
                        "Say in a remark what is masked: heads, neurons, experts, blocks">];
}

#endif // COPPICE_PLAN_PASSES
