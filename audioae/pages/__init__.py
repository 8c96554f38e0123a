"""HTML pages to look at and to listen to: the page of an evaluation, and the report of a whole store.

A page is one file that needs neither network nor server: pictures, audio, style and script are inside it. The modules
take plain data; `evaluation_page.render_page` and `report_page.render_report` make the pages.
"""
