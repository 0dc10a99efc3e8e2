// The mesh and density kernels for one instruction set, see mesh_job.hpp.
#include "simd.hpp"
#include "mesh_job.hpp"

#include "mesh_fill.hpp"
#include "mesh_cross.hpp"
#include "mesh_density.hpp"

namespace KERNEL_ISA {

#define KERNEL_NAME_(isa) #isa
#define KERNEL_NAME(isa) KERNEL_NAME_(isa)

extern const mesh::Kernels mesh_kernels;
const mesh::Kernels mesh_kernels = {
    KERNEL_NAME(KERNEL_ISA), bound, fill,         raster_back, interpolate,
    interpolate_back,        normals, normals_back, cross,       density};

}  // namespace KERNEL_ISA
