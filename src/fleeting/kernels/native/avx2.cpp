// Intel since Haswell, AMD since Excavator.
#define FLEETING_LANES 8
#include "exports.hpp"
