// The radiance-field kernels for one instruction set, see fields_job.hpp.
#include <cstddef>

#include "simd.hpp"
#include "fields_job.hpp"

#include "fields_grid.hpp"
#include "fields_network.hpp"
#include "fields_rays.hpp"

namespace KERNEL_ISA {

#define KERNEL_NAME_(isa) #isa
#define KERNEL_NAME(isa) KERNEL_NAME_(isa)

extern const fields::Kernels field_kernels;
const fields::Kernels field_kernels = {
    KERNEL_NAME(KERNEL_ISA), lanes, forward,   backward, scatter,
    turn_back,               march, composite, composite_backward};

}  // namespace KERNEL_ISA
