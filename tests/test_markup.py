"""HTML for people: nothing that a user names can leave its cell."""

import numepi as ne
from numepi.markup import Markup, card, definitions, table


def test_cells_are_escaped_unless_they_are_markup():
    html = table(("a<", "b"), [("<i>", Markup("<i>x</i>")), (1, 2)], "c & d")
    assert '<th scope="col">a&lt;</th>' in html and "<caption>c &amp; d</caption>" in html
    assert "<td>&lt;i&gt;</td><td><i>x</i></td>" in html and "<td>1</td><td>2</td>" in html
    assert '<th scope="row">k</th><td style="overflow-wrap:anywhere">&quot;</td>' in definitions([("k", '"')])
    assert card("<t>", "<p>p</p>") == "<div><p><strong>&lt;t&gt;</strong></p><p>p</p></div>"


def test_properties_show_every_target():
    moment = ne.Moment("product", lambda f: f[:, 0] * f[:, 1], 0.25)
    prop = ne.EmergentProperty(
        mean=[1.5, 2.5, None], variance=[0.5, None, None], variance_at_most=[None, 0.75, None], within=3.0,
        covariance={("a", "b"): 0.125}, moments={("a", 3): 0.375}, functions=[moment], statistics=["a", "b", "<c>"],
    )  # fmt: skip
    html = prop._repr_html_()
    for row in (
        "<td>a</td><td>1.5</td><td>0.5</td>", "<td>b</td><td>2.5</td><td>&lt;= 0.75</td>",
        "<td>&lt;c&gt;</td><td>free</td><td>free</td>", "<td>covariance a, b</td><td>0.125</td>",
        "<td>moment 3 of a</td><td>0.375</td>", "<td>product</td><td>0.25</td>", "within 3 target s.d.",
    ):  # fmt: skip
        assert row in html


def test_supports_show_bounds_integers_and_conditions():
    support = ne.Support([0.0, 1.0], [1.0, 5.0], where=lambda z: z[:, 0] < z[:, 1], integer=[1])
    html = support._repr_html_()
    assert "<td>1</td><td>0</td><td>1</td>" in html and "whole numbers" in html
    assert "where " in html and "&lt;lambda&gt;" in html
    assert "and 30 more" in ne.Support([-1.0] * 50, [1.0] * 50)._repr_html_()
