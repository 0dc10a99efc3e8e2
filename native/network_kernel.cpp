// The network kernels for one instruction set, see network_job.hpp.
#include "simd.hpp"
#include "network_job.hpp"

#include "network_cells.hpp"
#include "network_normalize.hpp"
#include "network_product.hpp"
#include "network_attend.hpp"
#include "network_winograd.hpp"

namespace KERNEL_ISA {

#define KERNEL_NAME_(isa) #isa
#define KERNEL_NAME(isa) KERNEL_NAME_(isa)

extern const network::Kernels network_kernels;
const network::Kernels network_kernels = {
    KERNEL_NAME(KERNEL_ISA), lanes, panel, pack, convolve, pack_plain, convolve_plain, normalize,
    activate, attend_room, attend, across_room, across, turn, join, fold, unfold, halve, whole};

}  // namespace KERNEL_ISA
