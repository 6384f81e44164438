"""Movies of spins in motion: each site has the colour of the frequency band that it moves in."""

import shutil
from pathlib import Path

import matplotlib.animation
import numpy as np
from matplotlib.collections import LineCollection
from PIL import Image

from ..errors import ConfigError, check_shape
from .style import COLOURS, colour, new_figure, styled

FORMATS = (".gif", ".mp4")
_DPI = 90
_BIT_RATE = 2400


def site_colours(motion, *, floor):
    """Return the colour of each site: that of the band it moves in most, the paler the less it moves.

    Parameters
    ----------
    motion : (n_site, n_band) float
    floor : (n_band,) float
        Motion of full colour in each band.

    Returns
    -------
    (n_site, 4) float64
        RGBA.
    """
    motion = np.asarray(motion, dtype=np.float64) / np.maximum(floor, 1e-30)
    band = np.argmax(motion, axis=1)
    out = np.array([_rgba(k) for k in range(motion.shape[1])])[band]
    out[:, 3] = 0.06 + 0.94 * np.clip(np.max(motion, axis=1), 0.0, 1.0)
    return out


def _rgba(k):
    code = colour(k).lstrip("#")
    return [*(int(code[i : i + 2], 16) / 255.0 for i in (0, 2, 4)), 1.0]


def movie_figure(*, positions, bonds, motion, times, bands, spins, floor):
    """Return a figure and a function that draws a frame into it.

    Parameters
    ----------
    positions : (n_spin, 2) float64, Å
    bonds : (n_bond, 2, 2) float64, Å
        Ends of the bonds that are drawn.
    motion : (n_frame, n_spin, n_band) float
    times : (n_frame,) float64, ps
    bands : sequence of str
        Names of the bands.
    spins : (n_frame, n_spin, 2) float
        Parts of the spins in the plane of the picture, of unit length at most: needles.
    floor : (n_band,) float
        See :func:`site_colours`.

    Returns
    -------
    matplotlib.figure.Figure, callable of one int
    """
    check_shape("motion", motion, (len(times), len(positions), len(bands)))
    span = np.ptp(positions, axis=0)
    with styled():
        figure = new_figure(6.4, 6.4 * span[1] / span[0] * 0.92 + 0.75)
        axes = figure.subplots()
        axes.add_collection(LineCollection(list(bonds), colors="#D0D0D0", linewidths=0.5, zorder=1))
        # In points: 5.8 of 6.4 inches are the picture, and a dot fills three quarters of the room of its site.
        size = (0.75 * np.sqrt(span[0] * span[1] / len(positions)) * 5.8 * 72.0 / span[0]) ** 2
        dots = axes.scatter(*positions.T, s=size, c=site_colours(motion[0], floor=floor), zorder=2, linewidths=0)
        needle = 0.45 * np.sqrt(span[0] * span[1] / len(positions))
        needles = LineCollection(_needles(positions, spins[0], needle), colors="black", linewidths=0.6, zorder=3)
        axes.add_collection(needles)
        for k, name in enumerate(bands):
            axes.plot([], [], "o", color=colour(k), label=name)
        axes.set_aspect("equal")
        axes.set_axis_off()
        figure.legend(loc="outside lower center", ncols=min(len(bands), 4), fontsize=8, frameon=False)
        title = axes.set_title(_clock(times[0]))

    def draw(frame):
        dots.set_facecolor(site_colours(motion[frame], floor=floor))
        needles.set_segments(_needles(positions, spins[frame], needle))
        title.set_text(_clock(times[frame]))
        return dots, needles, title

    return figure, draw


def _clock(time):
    return f"t = {time:.1f} ps"


def _needles(positions, spins, length):
    half = 0.5 * length * np.asarray(spins)
    return np.stack([positions - half, positions + half], axis=1)


def write_movie(figure, draw, n_frame, output, *, frames_per_second=15):
    """Write a GIF, or an MP4 where the program ffmpeg is at hand.

    Parameters
    ----------
    figure, draw : of :func:`movie_figure`
    n_frame : int
    output : str or Path
        Its ending says which.
    frames_per_second : int
    """
    output = Path(output)
    if output.suffix not in FORMATS:
        raise ConfigError("no such kind of movie", where=str(output), expected=" or ".join(FORMATS), got=output.suffix)
    if output.suffix == ".mp4" and shutil.which("ffmpeg") is None:
        raise ConfigError(
            "an MP4 needs the program ffmpeg",
            where=str(output),
            expected="ffmpeg on the path of programs",
            got="none",
            fix="install ffmpeg, or ask for a .gif",
        )
    if output.suffix == ".gif":
        _write_gif(figure, draw, n_frame, output, frames_per_second)
        return
    writer = matplotlib.animation.FFMpegWriter(fps=frames_per_second, bitrate=_BIT_RATE)
    with styled(), writer.saving(figure, str(output), _DPI):
        for frame in range(n_frame):
            draw(frame)
            # An even number of pixels either way, which codecs want.
            writer.grab_frame()


def _write_gif(figure, draw, n_frame, output, frames_per_second):
    """Write frames in one palette: colours of their own would make the same band look different from frame to frame."""
    palette, frames = _palette(), []
    with styled():
        figure.set_dpi(_DPI)
        for frame in range(n_frame):
            draw(frame)
            figure.canvas.draw()
            picture = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
            frames.append(picture.quantize(palette=palette, dither=Image.Dither.NONE))
    frames[0].save(
        output, save_all=True, append_images=frames[1:], duration=round(1000 / frames_per_second), loop=0,
        optimize=False,
    )  # fmt: skip


def _palette():
    """Return an image whose palette has every colour of a band in 26 shades, pale ones too, and 32 greys."""
    bands = np.array([_rgba(k)[:3] for k in range(len(COLOURS))])
    shades = 1.0 - np.linspace(0.08, 1.0, 26)[:, None, None] * (1.0 - bands)
    greys = np.repeat(np.linspace(0.0, 1.0, 32)[:, None], 3, axis=1)
    out = Image.new("P", (1, 1))
    out.putpalette(np.round(255 * np.concatenate([shades.reshape(-1, 3), greys])).astype(np.uint8).ravel().tolist())
    return out
