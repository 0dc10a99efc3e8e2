// Triangle meshes and densities: what one call is given, and the kernels of one instruction set.
//
// Vertices arrive as homogeneous pixels (x w, y w, w) with w = camera z, so an edge function is a
// determinant (Olano and Greer 1997, "Triangle scan conversion using 2D homogeneous coordinates")
// and nothing has to be clipped. splatsmith/render/raster_reference.py is the plain twin of the
// rasterizer, splatsmith/render/density.py holds that of the densities.
#pragma once

#include <cstdint>

namespace mesh {

constexpr float near_plane = 0.01f;  // camera z; as NEAR in raster_reference.py
constexpr float bound_slack = 1e-3f; // pixels added around a triangle's bounding box
constexpr int band_rows = 16;        // rows of a picture that one task fills
constexpr int longest_walk = 64;     // triangles between two neighboring pixels' centers
constexpr float behind_center = 0.0625f;  // pixels by which rounding may put an edge behind

struct Box {
  int32_t x0, x1, y0, y1;  // pixels whose centers the triangle may cover, ends included
};

struct Mesh {
  const float* clip;      // [views, vertices, 3]
  const int64_t* faces;   // [faces, 3]
  int64_t vertices, count;
  int views, width, height;
};

// What a band of rows is drawn into, each plane [band_rows, stride].
struct Planes {
  float *depth, *second, *third;  // second and third barycentric coordinate
  int32_t* triangle;
  int stride;
};

struct Raster {
  Mesh mesh;
  Box* boxes;             // [views, faces]
  float* screen;          // [views, vertices, 2] in pixels
  int64_t* triangle;      // [views, height, width], -1 where nothing is
  float* barycentric;     // [views, height, width, 3]
  float* depth;           // [views, height, width]
};

struct RasterBack {
  Mesh mesh;
  const int64_t* triangle;
  const float *barycentric, *barycentric_grad, *depth_grad;  // the gradients may be null
  float* clip_grad;       // [views, vertices, 3], zero at first
};

struct Interpolate {
  const float* attributes;  // [vertices, channels], or one such for each view
  int64_t apart;            // floats from one view's attributes to the next's, 0 if shared
  const int64_t* faces;
  const int64_t* triangle;
  const float* barycentric;
  int channels, width, height;
  float* out;                    // [views, height, width, channels]
  const float* out_grad;
  float* barycentric_grad;       // or null
};

// A silhouette between the centers of two neighboring pixels.
struct Crossing {
  int32_t near, far;    // pixels of a view; the silhouette belongs to what `near` shows
  int32_t first, second;  // the vertices of its edge
  float distance;       // from the center of `near`, in pixels toward `far`, about 0..1
  int8_t axis;          // 0: the pixels are neighbors in a row, 1: in a column
  int8_t step;          // +1 or -1: where `far` lies
};

struct Antialias {
  Mesh mesh;
  const int64_t* triangle;
  const float* depth;
  const int64_t* neighbors;  // [faces, 3]: the face across the edge opposite to each corner
};

// One splat as the grid meets it: u = rows (x - mean) has length 1 at one standard deviation.
struct Blob {
  float mean[3], rows[9], opacity, limit;  // limit: largest u . u that counts
  float color[3];
  int32_t low[3], high[3];  // grid points that it may reach, ends included
};

struct Density {
  const Blob* blobs;
  float origin[3], spacing[3];
  int size[3];
  float* density;  // [x, y, z]
  float* color;    // [x, y, z, 3] or null: the sum of term * color
};

// Sums of the normals (twice the area long) of the faces about each vertex.
struct Normals {
  const float* vertices;   // [vertices, 3]
  const int64_t* faces;
  int64_t count;
  const float* sums_grad;  // [vertices, 3]
  float* out;              // the sums or the gradient of the vertices, zero at first
};

struct Kernels {
  const char* name;
  void (*bound)(const Raster&, int view);
  void (*fill)(const Raster&, int view, int band, const int32_t* faces, int64_t count,
               const Planes&);
  void (*raster_back)(const RasterBack&, int view);
  void (*interpolate)(const Interpolate&, int view, int row);
  void (*interpolate_back)(const Interpolate&, int view, float* attributes_grad);
  void (*normals)(const Normals&);
  void (*normals_back)(const Normals&);
  int (*cross)(const Antialias&, int view, int row, Crossing* out);
  void (*density)(const Density&, const int32_t* list, int64_t count, const int* low,
                  const int* high);
};

}  // namespace mesh
