"""Meshes as USDZ, which Apple's and many other viewers open.

A .usdz is a zip without compression whose files begin at multiples of 64 bytes, the scene
first (Pixar, "USDZ File Format Specification"). The scene is text (.usda), which the standard
allows, so nothing else is needed to write it.
"""

import io
import zipfile

import numpy as np

from splatsmith.export.mesh_files.glb import Material, png_bytes
from splatsmith.export.mesh_files.placing import Up, linear
from splatsmith.export.meshing.mesh import Mesh

ALIGNED = 64  # bytes
HEADER = 30  # bytes of a zip's local header, before the name
PADDING = 0x1986  # the kind of extra field that USD itself pads with

SCENE = """#usda 1.0
(
    defaultPrim = "Asset"
    metersPerUnit = 1
    upAxis = "{up}"
)

def Xform "Asset" (
    kind = "component"
)
{{
    def Mesh "Geometry" (
        prepend apiSchemas = ["MaterialBindingAPI"]
    )
    {{
        float3[] extent = [{extent}]
        int[] faceVertexCounts = [{counts}]
        int[] faceVertexIndices = [{indices}]
        rel material:binding = </Asset/Material>
        normal3f[] normals = [{normals}] (
            interpolation = "vertex"
        )
        point3f[] points = [{points}]
        {paint} = [{values}] (
            interpolation = "vertex"
        )
        uniform token subdivisionScheme = "none"
    }}

    def Material "Material"
    {{
        token outputs:surface.connect = </Asset/Material/Surface.outputs:surface>

        def Shader "Surface"
        {{
            uniform token info:id = "UsdPreviewSurface"
            color3f inputs:diffuseColor.connect = </Asset/Material/{source}>
            float inputs:metallic = {metallic:g}
            float inputs:roughness = {roughness:g}
            token outputs:surface
        }}
{shaders}    }}
}}
"""
TEXTURED = """
        def Shader "Place"
        {
            uniform token info:id = "UsdPrimvarReader_float2"
            string inputs:varname = "st"
            float2 outputs:result
        }

        def Shader "Texture"
        {
            uniform token info:id = "UsdUVTexture"
            asset inputs:file = @texture.png@
            token inputs:sourceColorSpace = "sRGB"
            float2 inputs:st.connect = </Asset/Material/Place.outputs:result>
            token inputs:wrapS = "clamp"
            token inputs:wrapT = "clamp"
            float3 outputs:rgb
        }
"""
COLORED = """
        def Shader "Colors"
        {
            uniform token info:id = "UsdPrimvarReader_float3"
            string inputs:varname = "displayColor"
            float3 outputs:result
        }
"""


def usdz_bytes(mesh: Mesh, material: Material, up: Up) -> bytes:
    """The file for a mesh that is already placed, in meters."""
    files = {"scene.usda": _scene(mesh, material, up).encode("ascii")}
    if mesh.texture is not None:
        files["texture.png"] = png_bytes(mesh.texture)
    draft = io.BytesIO()
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            about = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            about.external_attr = 0o644 << 16
            used = draft.tell() + HEADER + len(name) + 4
            fill = -used % ALIGNED
            about.extra = PADDING.to_bytes(2, "little") + fill.to_bytes(2, "little")
            about.extra += bytes(fill)
            archive.writestr(about, data)
    return draft.getvalue()


def _scene(mesh: Mesh, material: Material, up: Up) -> str:
    low, high = mesh.bounds
    if mesh.texture is not None and mesh.uvs is not None:
        # USD counts v upward.
        st = np.stack([mesh.uvs[:, 0].numpy(), 1 - mesh.uvs[:, 1].numpy()], axis=1)
        name, values = "texCoord2f[] primvars:st", st
        source, shaders = "Texture.outputs:rgb", TEXTURED
    else:
        gray = np.full((len(mesh.vertices), 3), 0.5)
        display = gray if mesh.colors is None else mesh.colors.double().clamp(0, 1).numpy()
        name, values = "color3f[] primvars:displayColor", linear(display)
        source, shaders = "Colors.outputs:result", COLORED
    return SCENE.format(
        up=up.upper(),
        extent=_vectors(np.stack([low.numpy(), high.numpy()])),
        counts=", ".join(["3"] * len(mesh.faces)),
        indices=", ".join(map(str, mesh.faces.reshape(-1).tolist())),
        normals=_vectors(mesh.normals.numpy()),
        points=_vectors(mesh.vertices.numpy()),
        paint=name,
        values=_vectors(values),
        source=source,
        metallic=material.metallic,
        roughness=material.roughness,
        shaders=shaders,
    )


def _vectors(rows: np.ndarray) -> str:
    """Rows as USD writes them; 9 digits carry a 32-bit number whole."""
    return ", ".join(f"({', '.join(f'{value:.9g}' for value in row)})" for row in rows.tolist())
