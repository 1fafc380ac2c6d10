"""Grading assignments: `gat-course grade SUBMISSIONS --assignment 1`.

Otter-Grader's tests judge; a submission runs in a sandbox, which sees neither tests nor
other submissions and hands out values, never a score.
"""
