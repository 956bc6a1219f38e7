// Overrides of the command line, `path.to.field=value`, put into a document before it is read.
#pragma once

#include <string>
#include <vector>

namespace jacquard::experiments {

class LocatedJson;

// Applies the overrides in turn. The path is the names of fields (or indices of elements that
// exist) joined by '.'; all but the last must exist, the last may be new, which the strict reader
// refuses later if no such field is known. The value is JSON, or else it is taken as text: epochs=5
// is a number, name=cae and cost.r=mean(x) are text.
//
// A cost term that is plain text becomes {"value": text} when a path walks into it, so that
// cost.contraction.weight=0.2 works for it too.
//
// Problems of values that an override has set name that override. Throws InvalidSpec with every
// override that cannot be applied; the document then holds the others.
void apply_overrides(LocatedJson& document, const std::vector<std::string>& overrides);

}  // namespace jacquard::experiments
