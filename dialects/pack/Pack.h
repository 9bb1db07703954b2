// The pack dialect: one step as a list of stages. See PackOps.td and docs/reference/pack.md.
#pragma once

#include "dialects/lm/LM.h"

#include "dialects/pack/PackDialect.h.inc"
#include "dialects/pack/PackEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/pack/PackAttrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/pack/PackTypes.h.inc"

#define GET_OP_CLASSES
#include "dialects/pack/PackOps.h.inc"
