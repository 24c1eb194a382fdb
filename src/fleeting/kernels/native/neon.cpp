// 64-bit Arm.
#define FLEETING_LANES 4
#include "exports.hpp"
