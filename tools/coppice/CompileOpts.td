// Options of `coppice compile`.
include "llvm/Option/OptParser.td"

multiclass Value<string name, string metavar, string help> {
  def NAME : Separate<["--"], name>, HelpText<help>, MetaVarName<metavar>;
  def NAME # _eq : Joined<["--"], name # "=">, Alias<!cast<Separate>(NAME)>;
}

def output : Separate<["-"], "o">, MetaVarName<"FILE">,
             HelpText<"Where the result goes; texts go to standard output without it">;
defm plan : Value<"plan", "PLAN", "What to cut: a JSON file, described in docs/plan.md">;
defm weights : Value<"weights", "FORMATS",
                     "Matrices as f32, f16, bf16, i8 or i4 (default: as the checkpoint stores them), "
                     "then NAME=FORMAT for some: head (a table tied to it too), embed, or a pattern "
                     "of tensor names; the last that fits counts. i4 alone keeps tables and the head in i8, "
                     "and neither i4 nor i8 touches routers">;
defm kv : Value<"kv", "FORMAT", "KV cache as f32 (default), bf16 or i8">;
defm calibration : Value<"calibration", "STATS",
                         "Weigh the errors of i8 and i4 weights by a file of coppice calibrate">;
defm context : Value<"context", "N",
                     "Positions of a session at most (default: what the model's config says)">;
defm target : Value<"target", "NAMES",
                    "x86-64-v3 (AVX2), x86-64-v3-vnni, x86-64-v4 (AVX-512), x86-64-v4-vnni, or native "
                    "(the best of them here; default); a list with commas, or all-x86 for all "
                    "four: code for each over the same weights, and a machine takes the best "
                    "it can run. x86-64-v4-bf16, only by its name, rounds what meets bf16 weights "
                    "to bf16: quicker prompts, less exact">;
defm emit : Value<"emit", "KIND", "artifact (default), or a text: mlir, llvm or asm">;
defm stop_after : Value<"stop-after", "PHASE",
                        "With --emit=mlir: the phase whose result it is (default: memory)">;
def dry_run : Flag<["--"], "dry-run">,
              HelpText<"Compile without the weights' values: say what the artifact would be, and write "
                       "no more than --report. MODEL_DIR may hold no weights, but config.json alone">;
def keep_masks : Flag<["--"], "keep-masks">,
                 HelpText<"Compile the masked graph as it stands: the same answers, with zeros for "
                          "what is cut; only blocks that the plan skips are left out">;
def find_dead : Flag<["--"], "find-dead">,
                HelpText<"Also remove heads and neurons that other tools left as exact zeros">;
def no_tokenizer : Flag<["--"], "no-tokenizer">,
                   HelpText<"Leave the folder's tokenizer out, which may then be one that is not "
                            "supported: prompts are token ids">;
defm threads : Value<"threads", "T", "Threads to compile with; never changes the result">;
defm report : Value<"report", "FILE",
                    "What was cut, layer by layer, as JSON, described in docs/report-json.md">;
def quiet : Flag<["--"], "quiet">, HelpText<"No summary, no progress, no warnings">;
def help : Flag<["--"], "help">, HelpText<"Show this help">;
def help_short : Flag<["-"], "h">, Alias<help>;
