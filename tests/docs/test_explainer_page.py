"""The explainer page as its reader has it: opened from file:// in a browser."""

import io
import re

import headless
import pytest
from explainer import FOLDER, PAGE, scripts
from PIL import Image

FRAME = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    program = headless.browser()
    if program is None:
        pytest.skip("NOT CHECKED: the explainer page needs a browser (Debian: chromium).")
    with headless.opened(program, tmp_path_factory.mktemp("profile")) as opened:
        opened.shape(1200, 900)
        opened.open(PAGE)
        opened.evaluate(FRAME)
        yield opened


@pytest.fixture
def page(tab):
    """The open page; a test fails if the console had anything to complain about."""
    yield tab
    assert tab.errors == []


def lab(page, name, expression):
    return page.evaluate(f"(() => {{ const lab = Explainer.labs.{name}; {expression} }})()")


def press(page, name, button):
    page.evaluate(f"document.querySelector('#{name} [data-do={button}]').click()")


def forward(page, name, steps):
    """The state after some steps, as text."""
    return lab(
        page,
        name,
        f"for (let i = 0; i < {steps}; i++) lab.run.advance(lab.settings);"
        "return JSON.stringify(lab.run.points ? [...lab.run.points] "
        ": Object.values(lab.run.scene).map((row) => [...row]));",
    )


def seen(page, name):
    """Every canvas of a laboratory, as text."""
    return lab(
        page,
        name,
        "lab.draw(); const all = [...lab.root.querySelectorAll('canvas')];"
        "return all.map((canvas) => canvas.toDataURL());",
    )


def distance(page, name):
    return lab(page, name, "return lab.run.figures(lab.settings).distance;")


def defaults(page, name):
    lab(page, name, "lab.controls.write(lab.controls.defaults); lab.changed('count');")


def test_the_page_opens_without_a_complaint_and_everything_is_drawn(page):
    assert page.evaluate("document.title")
    pictures = [*seen(page, "plane"), *seen(page, "picture")]
    assert len(set(pictures)) == len(pictures) == 7
    shot = Image.open(io.BytesIO(page.photograph()))
    assert shot.size == (1200, 900)
    assert len(shot.convert("RGB").getcolors(1 << 20)) > 50


def test_every_control_has_a_name(page):
    nameless = page.evaluate(
        "[...document.querySelectorAll('input, select')]"
        ".filter((field) => !field.labels.length || !field.labels[0].textContent.trim())"
        ".map((field) => field.name)"
    )
    assert nameless == []


@pytest.mark.parametrize(("name", "steps"), [("plane", 60), ("picture", 25)])
def test_reset_restores_exactly_and_the_same_steps_lead_to_the_same_end(page, name, steps):
    defaults(page, name)
    begin = seen(page, name)
    first = forward(page, name, steps)
    press(page, name, "reset")
    assert seen(page, name) == begin
    assert forward(page, name, steps) == first


@pytest.mark.parametrize("name", ["plane", "picture"])
def test_every_control_of_the_run_changes_what_happens(page, name):
    """All in one go, in the page: each control from its default to another value and back."""
    idle = page.evaluate(
        """((name) => {
          const lab = Explainer.labs[name];
          const { defaults } = lab.controls;
          const field = (key) => lab.root.querySelector(`[name="${key}"]`);
          const ended = (key, value) => {
            lab.controls.write(defaults);
            lab.reset();
            if (key) {
              const moved = key === "word" ? field(key).form[key][1] : field(key);
              if (typeof value === "boolean") moved.checked = value;
              else moved.value = value;
              moved.dispatchEvent(new Event("input", { bubbles: true }));
            }
            for (let i = 0; i < 2; i++) lab.run.advance(lab.settings);
            return JSON.stringify([...(lab.run.points || lab.run.scene.mean)]);
          };
          const usual = ended();
          const others = { word: true, guidance: 9, score: "csd", high: 0.3, anneal: false,
            seed: 2, count: 7, rate: name === "plane" ? 0.2 : 2 };
          return Object.entries(others).filter(([key, value]) => ended(key, value) === usual);
        })"""
        + f"('{name}')"
    )
    assert idle == []
    defaults(page, name)


def test_play_runs_pause_holds_and_the_distance_falls(page):
    defaults(page, "plane")
    begin = distance(page, "plane")
    press(page, "plane", "play")
    page.evaluate(
        "new Promise((done) => { const look = () => Explainer.labs.plane.run.step >= 3 "
        "? done() : requestAnimationFrame(look); look(); })"
    )
    press(page, "plane", "play")
    page.evaluate(FRAME)
    held = lab(page, "plane", "return lab.run.step;")
    page.evaluate(FRAME)
    assert lab(page, "plane", "return lab.run.step;") == held >= 3
    forward(page, "plane", 420)
    assert distance(page, "plane") < begin / 3


def test_the_picture_comes_closer_and_density_control_adds_gaussians(page):
    defaults(page, "picture")
    lab(page, "picture", "lab.controls.write({ high: 0.6 }); lab.changed('high');")
    begin = distance(page, "picture")
    forward(page, "picture", 130)
    assert distance(page, "picture") < begin / 2
    count, shown = lab(
        page,
        "picture",
        "lab.draw(); const shown = lab.root.querySelector('[data-figure=count]');"
        "return [lab.run.count, shown.textContent];",
    )
    assert count > 40
    assert shown == str(count)
    defaults(page, "picture")


def test_the_keyboard_is_enough(page):
    defaults(page, "plane")
    page.evaluate("document.querySelector('#plane [data-do=step]').focus()")
    page.press("Enter", 13, "\r")
    page.evaluate(FRAME)
    assert lab(page, "plane", "return lab.run.step;") == 1
    page.evaluate("document.getElementById('plane-guidance').focus()")
    page.press("ArrowRight", 39)
    assert lab(page, "plane", "return lab.settings.guidance;") == 1.5
    defaults(page, "plane")


def test_a_suggestion_of_the_text_sets_the_controls_and_plays(page):
    count = page.evaluate("document.querySelectorAll('button[data-try]').length")
    assert count >= 10
    page.evaluate("document.querySelector('button[data-try*=\"csd\"]').click()")
    assert lab(page, "plane", "return lab.settings.score;") == "csd"
    assert lab(page, "plane", "return lab.root.querySelector('.main').textContent;") == "Pause"
    press(page, "plane", "reset")
    defaults(page, "plane")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone_in_both_themes(page, theme):
    page.shape(390, 844, theme=theme)
    page.evaluate(FRAME)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    shade = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in re.findall(r"\d+", shade)[:3]) / 3
    assert (brightness > 200) if theme == "light" else (brightness < 60)
    page.shape(1200, 900)


def test_the_page_needs_no_network_and_its_links_lead_somewhere():
    text = PAGE.read_text(encoding="utf-8")
    addresses = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert len(addresses) > 10
    for address in addresses:
        if address != "data:,":
            assert (FOLDER / address).exists(), address
    for name in ("style.css", *scripts()):
        content = (FOLDER / name).read_text(encoding="utf-8")
        assert "http" not in content
        assert "import(" not in content
        assert len(content.splitlines()) <= 400
