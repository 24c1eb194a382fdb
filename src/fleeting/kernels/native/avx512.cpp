// Intel since Skylake-SP, AMD since Zen 4.
#define FLEETING_LANES 16
#include "exports.hpp"
