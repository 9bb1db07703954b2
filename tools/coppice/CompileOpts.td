// Options of `coppice compile`.
include "llvm/Option/OptParser.td"

multiclass Value<string name, string metavar, string help> {
  def NAME : Separate<["--"], name>, HelpText<help>, MetaVarName<metavar>;
  def NAME # _eq : Joined<["--"], name # "=">, Alias<!cast<Separate>(NAME)>;
}

def output : Separate<["-"], "o">, HelpText<"Write the result to FILE (required for artifacts)">,
             MetaVarName<"FILE">;
defm plan : Value<"plan", "PLAN", "Cut what this plan names (docs/plan.md)">;
defm weights : Value<"weights", "FORMAT",
                     "Store matrices as f32, f16 or bf16 (default: as the checkpoint does)">;
defm kv : Value<"kv", "FORMAT", "Store the KV cache as f32">;
defm context : Value<"context", "N", "Longest sequence (default: what the model's config says)">;
defm target : Value<"target", "NAME", "Compile for native, x86-64-v3 or x86-64-v4 (default: native)">;
defm emit : Value<"emit", "KIND", "artifact, mlir, llvm or asm (default: artifact)">;
defm stop_after : Value<"stop-after", "PHASE", "With --emit=mlir: the phase whose result to print">;
def keep_masks : Flag<["--"], "keep-masks">,
                 HelpText<"Compile the masked graph as it stands: same answers, nothing smaller">;
def find_dead : Flag<["--"], "find-dead">,
                HelpText<"Also remove heads and neurons that other tools left as exact zeros">;
defm threads : Value<"threads", "T", "Threads to compile with; never changes the result">;
defm report : Value<"report", "FILE", "Write what was cut, layer by layer, as JSON">;
def quiet : Flag<["--"], "quiet">, HelpText<"No summary, no progress">;
def help : Flag<["--"], "help">, HelpText<"Show this help">;
def help_short : Flag<["-"], "h">, Alias<help>;
