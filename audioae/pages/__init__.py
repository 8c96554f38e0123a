"""The evaluation as one HTML file to look at and to listen to: `page.render_page` makes it from what was measured.

The file needs no network and no server: pictures, audio, style and script are inside it.
"""
